import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.xml.ws.api.message.Headers;
import com.sun.xml.ws.developer.JAXWSProperties;
import com.sun.xml.ws.developer.WSBindingProvider;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.annotation.Annotation;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URL;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.jws.WebMethod;
import javax.jws.WebParam;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.xml.bind.JAXBElement;
import javax.xml.bind.annotation.XmlElement;
import javax.xml.namespace.QName;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.Holder;
import javax.xml.ws.Service;
import javax.xml.ws.handler.MessageContext;
import javax.xml.ws.soap.SOAPFaultException;

/**
 * The JAX-WS reference implementation, asked to make calls with the classes that wsimport wrote: lines of
 * tab-separated words in, JSON lines out, one for each call. An answer is read from the generated objects by reflection.
 */
public final class Calls {
    private static final Map<Class<?>, Service> SERVICES = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, UTF_8);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        Map<String, List<String[]>> call = new HashMap<>();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split("\t", -1);
            if (words[0].equals("end")) {
                Map<String, Object> done = new LinkedHashMap<>();
                done.put("id", one(call, "id"));
                done.putAll(made(call));
                out.println(Json.of(done));
                call.clear();
            } else {
                call.computeIfAbsent(words[0], any -> new ArrayList<>()).add(Arrays.copyOfRange(words, 1, words.length));
            }
        }
    }

    private static String one(Map<String, List<String[]>> call, String name) {
        return call.get(name).get(0)[0];
    }

    private static Map<String, Object> made(Map<String, List<String[]>> call) throws Exception {
        String space = one(call, "namespace");
        String prefix = one(call, "package") + ".";
        Class<?> service = Class.forName(prefix + one(call, "name") + "Service");
        Class<?> portType = Class.forName(prefix + one(call, "name") + "Port");
        if (!SERVICES.containsKey(service)) {
            SERVICES.put(service, (Service) service.getConstructor(URL.class).newInstance(new URL(one(call, "wsdl"))));
        }
        Object port = SERVICES.get(service).getPort(new QName(space, one(call, "port")), portType);
        prepare((WSBindingProvider) port, call);
        for (Method method : portType.getMethods()) {
            if (method.getAnnotation(WebMethod.class).operationName().equals(one(call, "operation"))) {
                Map<String, Object> done = new LinkedHashMap<>(asked(port, method, call.getOrDefault("body", List.of())));
                done.put("binding", ((BindingProvider) port).getBinding().getBindingID());
                return done;
            }
        }
        throw new IllegalArgumentException("no such operation");
    }

    private static void prepare(WSBindingProvider port, Map<String, List<String[]>> call) throws Exception {
        Map<String, Object> context = port.getRequestContext();
        context.put(BindingProvider.ENDPOINT_ADDRESS_PROPERTY, one(call, "location"));
        for (String[] pair : call.getOrDefault("basic", List.of())) {
            context.put(BindingProvider.USERNAME_PROPERTY, pair[0]);
            context.put(BindingProvider.PASSWORD_PROPERTY, pair[1]);
        }
        Map<String, List<String>> http = new HashMap<>();
        call.getOrDefault("http", List.of()).forEach(pair -> http.put(pair[0], List.of(pair[1])));
        context.put(MessageContext.HTTP_REQUEST_HEADERS, http);
        for (String[] files : call.getOrDefault("tls", List.of())) {
            context.put(JAXWSProperties.SSL_SOCKET_FACTORY, tls(files[0], files[1], files[2]).getSocketFactory());
        }
        port.setOutboundHeaders(
            call.getOrDefault("header", List.of()).stream()
                .map(pair -> Headers.create(new QName("urn:lgsp:gateway:1", pair[0]), pair[1]))
                .toArray(com.sun.xml.ws.api.message.Header[]::new));
    }

    private static SSLContext tls(String own, String trusted, String password) throws Exception {
        KeyStore[] stores = {KeyStore.getInstance("PKCS12"), KeyStore.getInstance("PKCS12")};
        String[] files = {own, trusted};
        for (int index = 0; index < 2; index++) {
            try (FileInputStream file = new FileInputStream(files[index])) {
                stores[index].load(file, password.toCharArray());
            }
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(stores[0], password.toCharArray());
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(stores[1]);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    /** Wrapper style: the members of the question are the arguments, those of the answer come back in holders. */
    private static Map<String, Object> asked(Object port, Method method, List<String[]> body) throws Exception {
        Map<String, String> given = new HashMap<>();
        body.forEach(pair -> given.put(pair[0], pair[1]));
        Map<String, Holder<?>> holders = new LinkedHashMap<>();
        Object[] values = new Object[method.getParameterCount()];
        for (int index = 0; index < values.length; index++) {
            WebParam parameter = parameter(method.getParameterAnnotations()[index]);
            if (parameter.mode() == WebParam.Mode.OUT) {
                values[index] = new Holder<>();
                holders.put(parameter.name(), (Holder<?>) values[index]);
            } else {
                values[index] = typed(given.remove(parameter.name()), method.getParameterTypes()[index]);
            }
        }
        if (!given.isEmpty()) {
            throw new IllegalArgumentException("no such members: " + given.keySet());
        }
        try {
            method.invoke(port, values);
        } catch (InvocationTargetException error) {
            return refused(error.getCause());
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        for (Map.Entry<String, Holder<?>> holder : holders.entrySet()) {
            answer.put(holder.getKey(), read(holder.getValue().value));
        }
        return Map.of("answer", answer);
    }

    private static WebParam parameter(Annotation[] annotations) {
        return (WebParam) Arrays.stream(annotations).filter(each -> each instanceof WebParam).findFirst().orElseThrow();
    }

    private static Object typed(String value, Class<?> type) throws Exception {
        return value == null || type == String.class ? value : type.getMethod("fromValue", String.class).invoke(null, value);
    }

    private static Map<String, Object> refused(Throwable error) throws Exception {
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("class", error.getClass().getName());
        told.put("text", error.getMessage());
        try {
            told.put("problem", read(error.getClass().getMethod("getFaultInfo").invoke(error)));
        } catch (NoSuchMethodException unmodelled) {
            if (error instanceof SOAPFaultException && ((SOAPFaultException) error).getFault().getDetail() != null) {
                told.put("detail", ((SOAPFaultException) error).getFault().getDetail().getTextContent());
            }
        }
        return Map.of("fault", told);
    }

    /** What JAXB made of an element: a map without what is absent, null for nil. */
    private static Object read(Object value) throws Exception {
        if (value == null || value instanceof String || value instanceof Boolean || value instanceof Number) {
            return value;
        }
        if (value instanceof JAXBElement) {
            return ((JAXBElement<?>) value).isNil() ? null : read(((JAXBElement<?>) value).getValue());
        }
        if (value instanceof Enum) {
            return value.getClass().getMethod("value").invoke(value);
        }
        if (value instanceof List) {
            List<Object> items = new ArrayList<>();
            for (Object item : (List<?>) value) {
                items.add(read(item));
            }
            return items;
        }
        Map<String, Object> members = new LinkedHashMap<>();
        for (Field field : value.getClass().getDeclaredFields()) {
            field.setAccessible(true);
            Object member = field.get(value);
            XmlElement element = field.getAnnotation(XmlElement.class);
            // A list without items is null until it is asked for.
            boolean nil = element != null && element.nillable() && field.getType() != List.class;
            if (member != null || nil) {
                members.put(field.getName(), read(member));
            }
        }
        return members;
    }
}
