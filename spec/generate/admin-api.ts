/**
 * The admin API as an OpenAPI document and as a table, from its routes.
 *
 * @module
 */
import { toJsonSchema } from '@valibot/to-json-schema'
import type { GenericSchema } from 'valibot'
import { ADMIN_ROUTES, type AdminRoute } from '../../src/cloud/admin/admin-routes.ts'
import { Problem } from '../../src/cloud/admin/admin-schemas.ts'

const PROBLEM = { $ref: '#/components/schemas/Problem' }
const problems = (...statuses: number[]) =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: TITLES[status], content: { 'application/problem+json': { schema: PROBLEM } } },
    ]),
  )
const TITLES: Readonly<Record<number, string>> = {
  400: 'The body is no JSON object.',
  401: 'There is no token, or it is not good here.',
  403: 'The caller’s roles do not include this.',
  404: 'There is no such thing, or it is another tenant’s.',
  412: 'It is not what it was: look at it again.',
  422: 'What was asked for is not as it must be; `mistakes` says where.',
  428: '`If-Match` is missing.',
  429: 'Too many in a while; see `Retry-After`.',
  503: 'It cannot be done now, or not be written down; see `Retry-After`.',
}

/** OpenAPI 3.1. */
export function adminApiDocument(): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of ADMIN_ROUTES)
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route)
  return {
    openapi: '3.1.0',
    info: {
      title: 'app-proxy admin API',
      version: '1',
      description: 'What an operator sees and does. Its own listener, off by default.',
    },
    security: [{ token: [] }],
    paths,
    components: {
      schemas: { Problem: schemaOf(Problem) },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT (at+jwt), or the local token' },
      },
    },
  }
}

function operation(route: AdminRoute): object {
  const { operation: operationId, summary, path, role, scope, isConditional, status } = route
  const { query, input, output } = route
  const hasId = path.includes('{id}')
  const parameters = [
    ...(hasId ? [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }] : []),
    ...(isConditional
      ? [{ name: 'If-Match', in: 'header', required: true, schema: { type: 'string' } }]
      : []),
    ...queryParameters(query),
  ]
  return {
    operationId,
    summary,
    'x-role': role,
    'x-scope': scope,
    ...(parameters.length > 0 && { parameters }),
    ...(input && {
      requestBody: { content: { 'application/json': { schema: schemaOf(input) } } },
    }),
    responses: {
      [status]: {
        description: 'Done.',
        ...(output && { content: { 'application/json': { schema: schemaOf(output) } } }),
      },
      ...problems(401, 403, 429, 503),
      ...(hasId && problems(404)),
      ...(input && problems(400, 422)),
      ...(isConditional && problems(412, 428)),
    },
  }
}

function queryParameters(query: GenericSchema | undefined): object[] {
  if (query === undefined) return []
  const { properties = {} } = schemaOf(query) as { properties?: Record<string, object> }
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }))
}

function schemaOf(schema: GenericSchema): object {
  const { $schema: _draft, ...rest } = toJsonSchema(schema, { typeMode: 'input' })
  return rest
}

/** The operations, for docs/admin-api.md. */
export function adminOperations(): string {
  const rows = ADMIN_ROUTES.map(({ method, path, role, isConditional, summary }) => {
    const who = role === 'any' ? 'anybody known' : role === 'service' ? 'service operator' : role
    return `| \`${method} ${path}\` | ${who} | ${isConditional ? 'yes' : ''} | ${summary} |`
  })
  return ['| operation | role | `If-Match` | |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
