// Runs the snippets that were compiled together with it, a line of the mark and the name before each.
using System;
using System.Linq;
using System.Reflection;
using System.Text;
using System.Threading.Tasks;

static class Snippets {
    static void Main(string[] arguments) {
        Console.OutputEncoding = new UTF8Encoding(false);
        foreach (var type in Assembly.GetExecutingAssembly().GetTypes().Where(each => each.Name.StartsWith("Ask"))) {
            var main = type.GetMethod("Main", BindingFlags.Static | BindingFlags.NonPublic);
            if (main == null) continue;
            Console.WriteLine(arguments[0] + type.Name);
            var running = main.Invoke(null, null) as Task;
            if (running != null) running.Wait();
            Console.WriteLine();
        }
    }
}
