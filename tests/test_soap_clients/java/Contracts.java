import com.sun.tools.ws.wscompile.WsimportTool;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import javax.xml.XMLConstants;
import javax.xml.transform.Source;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.SchemaFactory;
import javax.xml.validation.Validator;
import org.xml.sax.ErrorHandler;
import org.xml.sax.SAXParseException;

/**
 * What the tools of Java say about contracts: `import OUT WSDL...` runs wsimport on each and compiles all that it wrote,
 * `validate {SCHEMA,... DOCUMENT... --}...` reads the schemas in that order with the JDK's validator (Xerces) and holds the
 * documents against them. One JSON line.
 */
public final class Contracts {
    public static void main(String[] arguments) throws Exception {
        List<String> rest = List.of(arguments).subList(1, arguments.length);
        Map<String, Object> told = new LinkedHashMap<>();
        if (arguments[0].equals("import")) {
            told = imported(Path.of(rest.get(0)), rest.subList(1, rest.size()));
        } else {
            for (int end; !rest.isEmpty(); rest = rest.subList(end + 1, rest.size())) {
                end = rest.indexOf("--");
                told.putAll(validated(rest.get(0), rest.subList(1, end)));
            }
        }
        new PrintStream(System.out, true, StandardCharsets.UTF_8).println(Json.of(told));
    }

    private static Map<String, Object> imported(Path out, List<String> contracts) throws Exception {
        Map<String, Object> told = new LinkedHashMap<>();
        for (String contract : contracts) {
            ByteArrayOutputStream said = new ByteArrayOutputStream();
            String[] options = {"-Xnocompile", "-extension", "-s", out.toString(), "-d", out.toString(), contract};
            boolean done = new WsimportTool(said).run(options);
            told.put(contract, (done ? "" : "FAILED ") + said.toString(StandardCharsets.UTF_8));
        }
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StringWriter said = new StringWriter();
        try (var files = compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8); var paths = Files.walk(out)) {
            List<Path> sources = paths.filter(path -> path.toString().endsWith(".java")).collect(Collectors.toList());
            List<String> options = List.of("-d", out.toString(), "-proc:none");
            boolean done = compiler.getTask(said, files, null, options, null, files.getJavaFileObjectsFromPaths(sources)).call();
            told.put("javac", (done ? "" : "FAILED ") + said);
        }
        return told;
    }

    private static Map<String, Object> validated(String schemas, List<String> documents) throws Exception {
        Map<String, Object> told = new LinkedHashMap<>();
        List<String> found = new ArrayList<>();
        SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
        factory.setErrorHandler(collecting(found));
        Source[] sources = Stream.of(schemas.split(",")).map(path -> new StreamSource(path)).toArray(Source[]::new);
        var schema = factory.newSchema(sources);
        told.put(schemas, List.copyOf(found));
        for (String document : documents) {
            found.clear();
            Validator validator = schema.newValidator();
            validator.setErrorHandler(collecting(found));
            validator.validate(new StreamSource(document));
            told.put(document, List.copyOf(found));
        }
        return told;
    }

    private static ErrorHandler collecting(List<String> found) {
        return new ErrorHandler() {
            @Override public void warning(SAXParseException error) { found.add("warning: " + error); }
            @Override public void error(SAXParseException error) { found.add("error: " + error); }
            @Override public void fatalError(SAXParseException error) { found.add("fatal: " + error); }
        };
    }

    private Contracts() {}
}
