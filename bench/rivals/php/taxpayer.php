<?php
// JSON in, SOAP out, as PHP's manual has it. A script lives for one request, so does its client; the WSDL is cached.
$question = json_decode(file_get_contents('php://input'), true);
$client = new SoapClient($_SERVER['WSDL'], [
    'soap_version' => SOAP_1_2,
    'location' => $_SERVER['ENDPOINT'],
    'cache_wsdl' => WSDL_CACHE_BOTH,
    'keep_alive' => true,
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
]);
$answer = $client->TraCuuNguoiNopThue([
    'MaYeuCau' => bin2hex(random_bytes(16)),
    'MaHeThong' => 'LGSP-BENCH',
    'MaSoThue' => $question['tax_code'],
]);
$body = json_encode($answer->NguoiNopThue, JSON_UNESCAPED_UNICODE);
header('Content-Type: application/json');
header('Content-Length: ' . strlen($body));
echo $body;
