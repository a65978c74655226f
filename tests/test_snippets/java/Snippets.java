import com.sun.tools.ws.wscompile.WsimportTool;
import java.io.ByteArrayOutputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import javax.tools.ToolProvider;

/**
 * Does in one process what a reader does with the snippets of a folder: `Snippets FOLDER MARK PACKAGE WSDL ...` imports
 * each contract, compiles everything and runs the snippets, a line of MARK and name before each.
 */
public final class Snippets {
    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        List<String> names;
        try (var files = Files.list(folder)) {
            names = files.map(file -> file.getFileName().toString()).filter(name -> name.endsWith(".java"))
                .map(name -> name.replace(".java", "")).sorted().collect(Collectors.toList());
        }
        for (int index = 2; index < arguments.length; index += 2) {
            ByteArrayOutputStream said = new ByteArrayOutputStream();
            String[] options = {"-keep", "-Xnocompile", "-s", arguments[0], "-p", arguments[index], arguments[index + 1]};
            if (!new WsimportTool(said).run(options)) {
                throw new IllegalStateException(said.toString(StandardCharsets.UTF_8));
            }
        }
        var compiler = ToolProvider.getSystemJavaCompiler();
        try (var files = compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8); var paths = Files.walk(folder)) {
            List<Path> sources = paths.filter(path -> path.toString().endsWith(".java")).collect(Collectors.toList());
            List<String> options = List.of("-encoding", "UTF-8", "-proc:none", "-nowarn", "-d", arguments[0]);
            if (!compiler.getTask(null, files, null, options, null, files.getJavaFileObjectsFromPaths(sources)).call()) {
                throw new IllegalStateException("not compiled");
            }
        }
        try (var loader = new URLClassLoader(new URL[] {folder.toUri().toURL()})) {
            Thread.currentThread().setContextClassLoader(loader);
            for (String name : names) {
                System.out.println(arguments[1] + name);
                loader.loadClass(name).getMethod("main", String[].class).invoke(null, (Object) new String[0]);
            }
        }
    }
}
