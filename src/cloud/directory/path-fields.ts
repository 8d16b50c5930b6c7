/**
 * Request fields by which servers take another path, or another method, for the one of the request.
 *
 * @see docs/publishing.md, "Segments"
 * @module
 */

/**
 * They name a path, beside those that no application is told (`X-Original-URL`, `X-Rewrite-URL`).
 * An application with segments is not told them, whoever says them.
 */
export const PATH_FIELDS: readonly string[] = [
  // gateways, containers, and who imitates the rewriting of IIS
  ...['x-override-url', 'x-http-path-override', 'x-envoy-original-path', 'x-path'],
  // what careless servers read as well as what CGI makes
  ...['path-info', 'request-uri', 'script-name', 'x-path-info', 'x-request-uri', 'x-script-name'],
  // Rack hands out files by them
  ...['x-accel-mapping', 'x-sendfile-type'],
]

/** They name the method that is meant. */
export const METHOD_FIELDS: readonly string[] = [
  ...['x-http-method', 'x-http-method-override', 'x-method-override'],
]
