// Mono's WCF with the classes that `svcutil` wrote: wcf.exe ADDRESS CLIENT SECRET PERSONAL_ID NAME=TEXT...
// Asks population/person with these header blocks; prints the record as one line of JSON.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.Serialization;
using System.ServiceModel;
using System.ServiceModel.Channels;
using System.Text;

static class Wcf {
    static void Main(string[] arguments) {
        Console.OutputEncoding = new UTF8Encoding(false);
        var binding = new BasicHttpBinding(BasicHttpSecurityMode.TransportCredentialOnly);
        binding.Security.Transport.ClientCredentialType = HttpClientCredentialType.Basic;
        var client = new PopulationPortClient(binding, new EndpointAddress(arguments[0]));
        client.ClientCredentials.UserName.UserName = arguments[1];
        client.ClientCredentials.UserName.Password = arguments[2];
        using (new OperationContextScope(client.InnerChannel)) {
            foreach (var block in arguments.Skip(4).Select(each => each.Split(new[] { '=' }, 2))) {
                OperationContext.Current.OutgoingMessageHeaders.Add(MessageHeader.CreateHeader(block[0], "urn:lgsp:gateway:1", block[1]));
            }
            Console.WriteLine(Json.Of(Read(client.Person(arguments[3], null, null, null))));
        }
    }

    static object Read(object value) {
        if (value == null || value is string || value is bool) return value;
        if (value is Enum) return value.ToString();
        var members = value.GetType().GetProperties().Where(each => each.PropertyType != typeof(ExtensionDataObject));
        return members.ToDictionary(each => each.Name, each => Read(each.GetValue(value, null)));
    }
}
