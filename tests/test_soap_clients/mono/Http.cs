// Completes a class that `wsdl` wrote, as its partial classes are made for: HTTP headers of the caller's own.
namespace PLACE {
    public partial class SERVICE {
        public System.Collections.Generic.Dictionary<string, string> Http = new System.Collections.Generic.Dictionary<string, string>();

        protected override System.Net.WebRequest GetWebRequest(System.Uri address) {
            var request = base.GetWebRequest(address);
            foreach (var header in Http) request.Headers[header.Key] = header.Value;
            return request;
        }
    }
}
