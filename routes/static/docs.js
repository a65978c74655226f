// Shows the document of this gateway. Addresses follow from where the page was opened, so that it also works through a
// proxy or over TLS, where the public address of the document may be another origin.
"use strict";
(async () => {
  const root = new URL(".", window.location.href).href.replace(/\/$/, "");
  const answer = await fetch("openapi.json");
  const spec = await answer.json();
  spec.servers = [{ url: root }];
  for (const scheme of Object.values(spec.components.securitySchemes)) {
    if (scheme.flows) scheme.flows.clientCredentials.tokenUrl = root + "/oauth2/token";
  }
  SwaggerUIBundle({
    spec,
    dom_id: "#docs",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    persistAuthorization: false,
    presets: [SwaggerUIBundle.presets.apis],
  });
})();
