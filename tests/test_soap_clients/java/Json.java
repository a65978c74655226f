import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** JSON, which the JDK cannot write. */
final class Json {
    static String of(Object value) {
        if (value instanceof Map) {
            return ((Map<?, ?>) value).entrySet().stream()
                .map(entry -> of(String.valueOf(entry.getKey())) + ":" + of(entry.getValue()))
                .collect(Collectors.joining(",", "{", "}"));
        }
        if (value instanceof List) {
            return ((List<?>) value).stream().map(Json::of).collect(Collectors.joining(",", "[", "]"));
        }
        if (!(value instanceof String)) {
            return String.valueOf(value);
        }
        StringBuilder text = new StringBuilder("\"");
        ((String) value).chars().forEach(unit -> {
            if (unit < ' ' || unit == '"' || unit == '\\') {
                text.append(String.format("\\u%04x", unit));
            } else {
                text.append((char) unit);
            }
        });
        return text.append('"').toString();
    }

    private Json() {}
}
