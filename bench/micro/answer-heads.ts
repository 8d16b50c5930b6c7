/**
 * What a head of an answer costs on its way to the user: with nothing to translate, and with what is
 * translated. Beside it the same without translation.
 */
import { publishedOf } from '../../src/cloud/directory/published.ts'
import { createDirectory } from '../../src/cloud/directory/directory.ts'
import { responseHeaders } from '../../src/cloud/edge/response-headers.ts'
import { EdgeTranslations } from '../../src/cloud/edge/translations.ts'
import { PublishedUrls } from '../../src/cloud/translate/published-urls.ts'
import { done, measure } from './measure.ts'

const place = (id: string) => ({
  ...{ id, groupId: 'berlin', preAuthentication: 'passthrough' as const },
  ...{ internalUrl: `http://${id}.internal:8080/`, externalUrl: `https://${id}.example/` },
})
const directory = createDirectory({
  tenants: [{ id: 'contoso', issuer: 'https://id.example', registrars: { audience: 'x' } }],
  groups: [{ id: 'berlin', tenantId: 'contoso' }],
  applications: Array.from({ length: 200 }, (_, i) => place(`app-${i}`)),
})
const urls = new PublishedUrls(directory)
const clocks = { now: () => 0, wallClock: () => 0 }
const translations = new EdgeTranslations(urls, { clocks, audit: { write: () => undefined } })
const published = publishedOf(directory.application('app-7')!)
const request = { id: 'r', head: { method: 'GET', authority: 'app-7.example' } as never }

const PLAIN = [
  ...['Date', 'Mon, 30 Nov 2026 12:00:00 GMT', 'Content-Type', 'text/html; charset=utf-8'],
  ...['Content-Length', '5120', 'Cache-Control', 'no-cache', 'ETag', '"abcdef"', 'Vary', 'Accept'],
  ...['Server', 'nginx', 'X-Frame-Options', 'DENY', 'Connection', 'keep-alive'],
]
const REDIRECT = [...PLAIN, 'Location', 'http://app-7.internal:8080/next?a=b']
const FULL = [
  ...REDIRECT,
  ...['Set-Cookie', 'id=abc; Path=/; HttpOnly', 'Link', '<http://app-7.internal:8080/a>; rel=next'],
  ...['Content-Security-Policy', "default-src 'self' http://app-7.internal:8080; img-src *"],
]

const head = (headers: readonly string[], isTranslated: boolean) => (times: number) => {
  for (let i = 0; i < times; i++) {
    const translation = isTranslated ? translations.begin(published, request, '/') : undefined
    responseHeaders({ status: 200, headers }, translation)
  }
}

done('heads of answers', [
  measure('none of the fields, without translation', head(PLAIN, false)),
  measure('none of the fields', head(PLAIN, true)),
  measure('a redirect, without translation', head(REDIRECT, false)),
  measure('a redirect', head(REDIRECT, true)),
  measure('a redirect, a cookie, a link, a policy', head(FULL, true)),
])
