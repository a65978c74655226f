"""Snippets in languages with a compiler, over the classes that their tools make of a contract: Java, C# (mẫu gọi)."""

from __future__ import annotations

import json
import re
from typing import Any

from routes.developers.example import HEADERS, Asked, Example


def java_soap(example: Example) -> str:
    """Return a look-up over SOAP with JAX-WS 2."""
    headers = ",\n".join(f'            "{name}", List.of("{value}")' for name, value in HEADERS.items())
    given = ", ".join(_java(example, member) for member in example.asked)
    return f"""\
// wsimport -keep -p lgsp.{example.package} '{example.soap}?wsdl&soap=1.1'
// javac -encoding UTF-8 {_program(example)}.java      (JAX-WS 2; since version 3 jakarta stands for javax)
import java.util.List;
import java.util.Map;
import javax.xml.bind.JAXB;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.Holder;
import javax.xml.ws.handler.MessageContext;
import lgsp.{example.package}.*;

public class {_program(example)} {{
    public static void main(String[] arguments) {{
        {example.service}Port port = new {example.service}Service().get{example.service}Soap11();
        Map<String, Object> context = ((BindingProvider) port).getRequestContext();
        context.put(BindingProvider.USERNAME_PROPERTY, System.getenv("LGSP_CLIENT_ID"));
        context.put(BindingProvider.PASSWORD_PROPERTY, System.getenv("LGSP_CLIENT_SECRET"));
        context.put(MessageContext.HTTP_REQUEST_HEADERS, Map.of(
{headers}));
        Holder<{example.record}> data = new Holder<>();
        Holder<ExchangeType> exchange = new Holder<>();
        Holder<ReceiptType> receipt = new Holder<>();
        try {{
            port.{example.method}({given}, data, exchange, receipt);
        }} catch (Problem problem) {{
            System.err.println(problem.getFaultInfo().getCode());
            return;
        }}
        JAXB.marshal(data.value, System.out);
    }}
}}
"""


def csharp_rest(example: Example) -> str:
    """Return a look-up over REST with HttpClient."""
    headers = "\n".join(f'        request.Headers.Add("{name}", "{value}");' for name, value in HEADERS.items())
    return f"""\
using System;
using System.Collections.Generic;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading.Tasks;

class {_program(example)}OverRest {{
    static async Task Main() {{
        var client = new HttpClient();
        var form = new FormUrlEncodedContent(new Dictionary<string, string> {{
            {{ "grant_type", "client_credentials" }},
            {{ "client_id", Environment.GetEnvironmentVariable("LGSP_CLIENT_ID") }},
            {{ "client_secret", Environment.GetEnvironmentVariable("LGSP_CLIENT_SECRET") }},
        }});
        var granted = await client.PostAsync("{example.base}/oauth2/token", form);
        granted.EnsureSuccessStatusCode();
        var told = await granted.Content.ReadAsStringAsync();
        var token = Regex.Match(told, "\\"access_token\\": *\\"([^\\"]+)\\"").Groups[1].Value;

        var request = new HttpRequestMessage(HttpMethod.Post, "{example.rest}");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
{headers}
        var question = {_text(json.dumps(example.body, ensure_ascii=False))};
        request.Content = new StringContent(question, Encoding.UTF8, "application/json");
        var answer = await client.SendAsync(request);
        Console.WriteLine(await answer.Content.ReadAsStringAsync());
    }}
}}
"""


def csharp_soap(example: Example) -> str:
    """Return a look-up over SOAP with the class that `wsdl` of .NET Framework and of Mono makes."""
    blocks = "\n".join(
        f'            {name.removeprefix("Lgsp-")} = new {name.removeprefix("Lgsp-")}Header {{ Value = "{value}" }},'
        for name, value in HEADERS.items()
    )
    given = ", ".join(part for member in example.asked for part in _csharp(example, member))
    space = f"Lgsp.{example.service}"
    return f"""\
// wsdl '{example.soap}?wsdl&soap=1.1' -n:{space} -out:{example.service}.cs
// csc -r:System.Web.Services.dll {_program(example)}.cs {example.service}.cs
// .NET 5 and later have no System.Web.Services: send the envelope of the curl call with HttpClient, as over REST.
using System;
using System.Net;
using System.Web.Services.Protocols;
using System.Xml.Serialization;
using {space};

class {_program(example)}OverSoap {{
    static void Main() {{
        var service = new {example.service}Service {{
            Credentials = new NetworkCredential(
                Environment.GetEnvironmentVariable("LGSP_CLIENT_ID"),
                Environment.GetEnvironmentVariable("LGSP_CLIENT_SECRET")),
            PreAuthenticate = true,
{blocks}
        }};
        ExchangeType exchange;
        ReceiptType receipt;
        try {{
            var data = service.{example.element}({given}, out exchange, out receipt);
            new XmlSerializer(typeof({example.record})).Serialize(Console.Out, data);
        }} catch (SoapException fault) {{
            Console.Error.WriteLine(fault.Detail.InnerText);
        }}
    }}
}}
"""


def _program(example: Example) -> str:
    return f"Ask{example.element}"


def _text(value: str) -> str:
    """Return a text as Java and C# write it."""
    return json.dumps(value, ensure_ascii=False)


def _kind(example: Example, member: Asked) -> str:
    """Return the name of the type that the contract gives a set of words."""
    return f"{example.element}{member.element[0].upper()}{member.element[1:]}Type"


def _java(example: Example, member: Asked) -> str:
    if member.value is None:
        return "null"
    if member.words:
        return f"{_kind(example, member)}.fromValue({_text(member.value)})"
    return _plain(member.value, "L")


def _csharp(example: Example, member: Asked) -> tuple[str, ...]:
    """Return the arguments of a member: a set of words that may be left out has a second one, whether it is given."""
    if member.value is None:
        return ("null", "false") if member.words else ("null",)
    if not member.words:
        return (_plain(member.value, ""),)
    word = f"{_kind(example, member)}.{re.sub(r'[^A-Za-z0-9_]', '', member.value)}"
    return (word,) if member.required else (word, "true")


def _plain(value: Any, suffix: str) -> str:
    return _text(value) if isinstance(value, str) else f"{json.dumps(value)}{'' if isinstance(value, bool) else suffix}"
