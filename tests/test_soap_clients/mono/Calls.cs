// Mono, asked to make calls with the classes that its `wsdl` wrote: calls.exe GENERATED.dll < lines of tab-separated words
// JSON lines out, one for each call. An answer is read from the generated objects by reflection.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Reflection;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Web.Services.Protocols;
using System.Xml;
using System.Xml.Serialization;

using Call = System.Collections.Generic.Dictionary<string, System.Collections.Generic.List<string[]>>;
using Tree = System.Collections.Generic.Dictionary<string, object>;

static class Calls {
    static void Main(string[] arguments) {
        Console.OutputEncoding = new UTF8Encoding(false);
        var lines = new StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false));
        var generated = Assembly.LoadFrom(arguments[0]);
        var call = new Call();
        for (var line = lines.ReadLine(); line != null; line = lines.ReadLine()) {
            var words = line.Split('\t');
            if (words[0] != "end") {
                if (!call.ContainsKey(words[0])) call[words[0]] = new List<string[]>();
                call[words[0]].Add(words.Skip(1).ToArray());
                continue;
            }
            var done = new Tree { { "id", One(call, "id") } };
            foreach (var pair in Made(generated, call)) done[pair.Key] = pair.Value;
            Console.WriteLine(Json.Of(done));
            call.Clear();
        }
    }

    static string One(Call call, string name) { return call[name][0][0]; }

    static List<string[]> All(Call call, string name) { return call.ContainsKey(name) ? call[name] : new List<string[]>(); }

    static Tree Made(Assembly generated, Call call) {
        var name = One(call, "name");
        var version = One(call, "port").Substring(name.Length);
        var type = generated.GetType(version + "." + name + "." + name + "Service", true);
        var client = (SoapHttpClientProtocol) Activator.CreateInstance(type);
        client.Url = One(call, "location");
        foreach (var pair in All(call, "basic")) client.Credentials = new NetworkCredential(pair[0], pair[1]);
        foreach (var pair in All(call, "header")) {
            var property = type.GetProperties().Single(each => Root(each.PropertyType) == pair[0]);
            var header = Activator.CreateInstance(property.PropertyType);
            header.GetType().GetProperty("Value").SetValue(header, pair[1], null);
            property.SetValue(client, header, null);
        }
        foreach (var pair in All(call, "http")) ((Dictionary<string, string>) type.GetField("Http").GetValue(client)).Add(pair[0], pair[1]);
        foreach (var files in All(call, "tls")) {
            client.ClientCertificates.Add(new X509Certificate2(files[0], files[2]));
            var anchor = new X509Certificate2(files[3]);
            ServicePointManager.ServerCertificateValidationCallback = (sender, certificate, chain, errors) => certificate.Issuer == anchor.Subject;
        }
        return Asked(client, type.GetMethod(One(call, "operation")), All(call, "body").ToDictionary(pair => pair[0], pair => pair[1]));
    }

    static string Root(Type type) {
        var root = (XmlRootAttribute) Attribute.GetCustomAttribute(type, typeof(XmlRootAttribute));
        return root == null || !typeof(SoapHeader).IsAssignableFrom(type) ? null : root.ElementName;
    }

    // The members of the question are the arguments; the first member of the answer is returned, the others are out.
    static Tree Asked(object client, MethodInfo method, Dictionary<string, string> given) {
        var parameters = method.GetParameters();
        var values = new object[parameters.Length];
        for (var index = 0; index < values.Length; index++) {
            if (parameters[index].IsOut) continue;
            var name = Element(parameters[index], parameters[index].Name);
            var said = parameters[index].Name.EndsWith("Specified");
            values[index] = said ? values[index - 1] != null : given.ContainsKey(name) ? Typed(given[name], parameters[index].ParameterType) : null;
            given.Remove(name);
        }
        if (given.Count > 0) throw new ArgumentException("no such members: " + string.Join(" ", given.Keys));
        var answer = new Tree();
        try {
            answer[Element(method.ReturnTypeCustomAttributes, "data")] = Read(method.Invoke(client, values));
        } catch (TargetInvocationException error) {
            return new Tree { { "fault", Refused(error.InnerException) } };
        }
        for (var index = 0; index < values.Length; index++) {
            if (parameters[index].IsOut) answer[parameters[index].Name] = Read(values[index]);
        }
        return new Tree { { "answer", answer } };
    }

    static string Element(ICustomAttributeProvider member, string name) {
        var said = member.GetCustomAttributes(typeof(XmlElementAttribute), false).Cast<XmlElementAttribute>().FirstOrDefault();
        return said == null || string.IsNullOrEmpty(said.ElementName) ? name : said.ElementName;
    }

    static object Typed(string value, Type type) {
        var wanted = Nullable.GetUnderlyingType(type) ?? type;
        if (!wanted.IsEnum) return Convert.ChangeType(value, wanted);
        return wanted.GetFields(BindingFlags.Static | BindingFlags.Public).Single(each => Named(each) == value).GetValue(null);
    }

    static string Named(FieldInfo value) {
        var said = (XmlEnumAttribute) Attribute.GetCustomAttribute(value, typeof(XmlEnumAttribute));
        return said == null || string.IsNullOrEmpty(said.Name) ? value.Name : said.Name;
    }

    static Tree Refused(Exception error) {
        var told = new Tree { { "class", error.GetType().FullName }, { "text", error.Message } };
        var fault = error as SoapException;
        if (fault == null) return told;
        told["code"] = fault.Code.Name;
        told["detail"] = fault.Detail == null ? null : Plain(fault.Detail);
        return told;
    }

    static object Plain(XmlNode node) {
        var members = node.ChildNodes.OfType<XmlElement>().ToArray();
        if (members.Length == 0) return node.InnerText;
        var tree = new Tree();
        foreach (var member in members) tree[member.LocalName] = Plain(member);
        return tree;
    }

    // null is what these classes hold for nil and for absent elements.
    static object Read(object value) {
        if (value == null || value is string || value is bool || value is int || value is long) return value;
        if (value is Enum) return Named(value.GetType().GetField(value.ToString()));
        if (value is Array) return ((Array) value).Cast<object>().Select(Read).ToList();
        var tree = new Tree();
        foreach (var member in value.GetType().GetProperties()) {
            if (!member.Name.EndsWith("Specified")) tree[Element(member, member.Name)] = Read(member.GetValue(value, null));
        }
        return tree;
    }
}
