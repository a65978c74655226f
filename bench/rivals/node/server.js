// JSON in, SOAP out, as the two libraries are documented: one client for the life of the process, connections kept.
import http from 'node:http';
import { randomUUID } from 'node:crypto';
import axios from 'axios';
import Fastify from 'fastify';
import soap from 'soap';

const [wsdl, endpoint, port] = process.argv.slice(2);
const request = axios.create({ httpAgent: new http.Agent({ keepAlive: true }) });
const client = await soap.createClientAsync(wsdl, { endpoint, request, forceSoap12Headers: true });
const app = Fastify({ logger: false });

app.post('/taxpayer', async (question) => {
  const [answer] = await client.TraCuuNguoiNopThueAsync({
    MaYeuCau: randomUUID(),
    MaHeThong: 'LGSP-BENCH',
    MaSoThue: question.body.tax_code,
  });
  return answer.NguoiNopThue;
});

await app.listen({ host: '127.0.0.1', port: Number(port) });
