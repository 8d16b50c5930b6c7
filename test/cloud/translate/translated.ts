import { publishedOf } from '../../../src/cloud/directory/published.ts'
import { offeredHeaders } from '../../../src/cloud/edge/offered-headers.ts'
import { responseHeaders } from '../../../src/cloud/edge/response-headers.ts'
import { EdgeTranslations } from '../../../src/cloud/edge/translations.ts'
import { PublishedUrls } from '../../../src/cloud/translate/published-urls.ts'
import type { HeaderList } from '../../../src/protocol/internal.ts'
import { recordedAudit } from '../../recorded-audit.ts'
import { directoryOf } from '../directory/directory-of.ts'

/** What of an application a test says. */
export interface TestApplication {
  readonly id?: string
  readonly internalUrl: string
  readonly externalUrl: string
  readonly hostHeader?: 'internal' | 'external'
  readonly translate?: object
  readonly tenant?: 'contoso' | 'fabrikam'
  readonly embedding?: object
}

/** A directory of applications, and what becomes of the fields of an exchange with the first. */
export function translated(applications: readonly TestApplication[], asked: object = {}) {
  const directory = directoryOf({
    tenants: ['contoso', 'fabrikam'].map((id) => ({
      ...{ id, issuer: `https://${id}.example` },
      registrars: { audience: 'x' },
    })),
    groups: [
      { id: 'g-contoso', tenantId: 'contoso' },
      { id: 'g-fabrikam', tenantId: 'fabrikam' },
    ],
    applications: applications.map(({ tenant = 'contoso', id, embedding, ...one }, i) => ({
      ...{ id: id ?? `app-${i}`, groupId: `g-${tenant}`, ...one },
      ...(embedding === undefined
        ? { preAuthentication: 'passthrough' }
        : { preAuthentication: 'oidc', client: { id: 'x' }, embedding }),
    })),
  })
  const audit = recordedAudit()
  const clocks = { now: () => 0, wallClock: () => 0 }
  const translations = new EdgeTranslations(new PublishedUrls(directory), { audit, clocks })
  const published = publishedOf(directory.applications()[0]!)
  const host = new URL(published.application.externalUrl)
  const request = { method: 'GET', authority: host.host, path: host.pathname, ...asked }
  const { method, authority, path } = request
  const exchange = translations.begin(
    published,
    { id: 'r-1', head: { method, authority } as never },
    path,
  )
  return {
    audit,
    translations,
    published,
    exchange,
    /** The list that the application is offered, without what is ours. */
    request: (headers: HeaderList): HeaderList => {
      const head = { headers, httpVersion: '1.1' }
      const all = offeredHeaders(head, '192.0.2.1', published, {}, exchange)
      return all.slice(0, all.indexOf('Forwarded'))
    },
    answer: (headers: HeaderList, status = 200): HeaderList =>
      responseHeaders({ status, headers }, exchange),
    /** One field of an answer; undefined: it was dropped. */
    field: (name: string, value: string): string | undefined =>
      responseHeaders({ status: 200, headers: [name, value] }, exchange)[1],
  }
}
