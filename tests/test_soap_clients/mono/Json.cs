using System.Collections.Generic;
using System.Linq;
using System.Text;

// JSON, as far as it is needed.
static class Json {
    public static string Of(object value) {
        if (value == null) return "null";
        if (value is bool) return (bool) value ? "true" : "false";
        var tree = value as Dictionary<string, object>;
        if (tree != null) return "{" + string.Join(",", tree.Select(pair => Of(pair.Key) + ":" + Of(pair.Value))) + "}";
        var list = value as List<object>;
        if (list != null) return "[" + string.Join(",", list.Select(Of)) + "]";
        if (!(value is string)) return value.ToString();
        var text = new StringBuilder("\"");
        foreach (var unit in (string) value) {
            if (unit < ' ' || unit == '"' || unit == '\\') text.AppendFormat("\\u{0:x4}", (int) unit);
            else text.Append(unit);
        }
        return text.Append('"').ToString();
    }
}
