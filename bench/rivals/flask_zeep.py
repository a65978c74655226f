"""JSON in, SOAP out, as Flask and zeep are documented: one client for the life of the process, connections kept.

gunicorn runs `app`; WSDL and ENDPOINT come from the environment.
"""

from __future__ import annotations

import os
import uuid
from typing import Any

from flask import Flask, Response, jsonify, request
from requests import Session
from zeep import Client
from zeep.helpers import serialize_object
from zeep.transports import Transport

app = Flask(__name__)
_client = Client(os.environ["WSDL"], transport=Transport(session=Session()))
_service: Any = _client.create_service("{urn:lgsp:sandbox:thue:1.0}DangKyThueSoap12", os.environ["ENDPOINT"])


@app.post("/taxpayer")
def taxpayer() -> Response:
    """Look a taxpayer up."""
    question = request.get_json()
    answer = _service.TraCuuNguoiNopThue(
        MaYeuCau=str(uuid.uuid4()), MaHeThong="LGSP-BENCH", MaSoThue=question["tax_code"]
    )
    return jsonify(serialize_object(answer.NguoiNopThue, dict))
