<?php
// PHP's SoapClient, asked to load contracts and to make calls: php calls.php WSDL... < job.json
// JSON lines out, one for each contract, then one for each call. Any warning or notice of PHP ends it.
declare(strict_types=1);
set_error_handler(static function (int $level, string $text): bool { throw new ErrorException($text, 0, $level); });

function say(string $id, array $told): void
{
    echo json_encode(['id' => $id] + $told, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE), "\n";
}

function client(array $call): SoapClient
{
    $options = [
        'cache_wsdl' => WSDL_CACHE_NONE,
        'soap_version' => $call['soap'] === '1.2' ? SOAP_1_2 : SOAP_1_1,
        // Without, a list with one item is that item.
        'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
        'location' => $call['location'],
        'trace' => true,
    ];
    if (isset($call['basic'])) {
        [$options['login'], $options['password']] = $call['basic'];
    }
    if (isset($call['tls'])) {
        $options['local_cert'] = $call['tls']['pair'];
    }
    $http = [];
    foreach ($call['http'] + (isset($call['bearer']) ? ['Authorization' => "Bearer {$call['bearer']}"] : []) as $name => $value) {
        $http[] = "$name: $value";
    }
    $options['stream_context'] = stream_context_create([
        'http' => ['header' => $http],
        'ssl' => isset($call['tls']) ? ['cafile' => $call['tls']['ca']] : [],
    ]);
    return new SoapClient($call['wsdl'], $options);
}

function made(array $call): array
{
    $client = client($call);
    $headers = [];
    foreach ($call['headers'] as $name => $value) {
        $headers[] = new SoapHeader('urn:lgsp:gateway:1', $name, $value);
    }
    try {
        $answer = $client->__soapCall($call['operation'], [(object) $call['body']], null, $headers);
    } catch (SoapFault $fault) {
        return ['fault' => ['code' => $fault->faultcode, 'text' => $fault->faultstring, 'detail' => $fault->detail ?? null]];
    }
    preg_match('/"([^"]*envelope[^"]*)"/', $client->__getLastRequest(), $envelope);
    return ['answer' => $answer, 'envelope' => $envelope[1]];
}

foreach (array_slice($argv, 1) as $contract) {
    $client = new SoapClient($contract, ['cache_wsdl' => WSDL_CACHE_NONE]);
    say(basename($contract), ['functions' => $client->__getFunctions()]);
}
foreach (json_decode(stream_get_contents(STDIN), true, 64, JSON_THROW_ON_ERROR) as $call) {
    say($call['id'], made($call));
}
