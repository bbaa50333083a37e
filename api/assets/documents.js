// Starts Swagger UI or ReDoc on this installation's OpenAPI document.
(async () => {
  const place = document.getElementById("documents");
  const { kind, root } = place.dataset;
  const answer = await fetch(`${root}/openapi.json`);
  if (!answer.ok) {
    place.textContent = `The OpenAPI document cannot be loaded: ${answer.status}`;
    return;
  }
  const spec = await answer.json();
  if (kind === "swagger-ui") {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
    dark.addEventListener("change", follow);
    follow();
    // "Try it out" asks the address that this page came from, which is the one that works from here.
    spec.servers = [{ url: location.origin + root }];
    SwaggerUIBundle({ spec, domNode: place, deepLinking: true, displayRequestDuration: true, validatorUrl: null });
  } else {
    const fonts = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
    const theme = { typography: { fontFamily: fonts, headings: { fontFamily: fonts } } };
    Redoc.init(spec, { theme, expandResponses: "200,201" }, place);
  }
})();
