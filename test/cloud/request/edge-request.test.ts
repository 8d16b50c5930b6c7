import { describe, expect, test } from 'vitest'
import { createDirectory, systemClocks, type PageRenderer } from '../../../src/cloud/index.ts'
import { EdgeRequest } from '../../../src/cloud/request/edge-request.ts'
import { ExchangeFailed, headerValue } from '../../../src/protocol/internal.ts'
import { LOGO } from '../pages/all-answers.ts'
import { MemoryUser } from '../edge/edge-world.ts'

const directory = createDirectory({
  tenants: [
    {
      id: 'contoso',
      issuer: 'https://sts.example',
      registrars: { audience: 'x' },
      branding: { name: 'Contoso & Sons', logo: LOGO },
    },
  ],
  groups: [{ id: 'default', tenantId: 'contoso' }],
  applications: [
    {
      id: 'wiki',
      groupId: 'default',
      externalUrl: 'https://apps.example/wiki/',
      internalUrl: 'http://10.0.0.1/',
      preAuthentication: 'passthrough',
    },
  ],
})

/** The answer to a request that failed at the application. */
function failed(head: { method?: string; target?: string; accept?: string }, pages?: PageRenderer) {
  const { method = 'GET', target = '/wiki/page?x=%22y', accept = 'text/html' } = head
  const user = new MemoryUser({
    ...{ method, target, authority: 'apps.example' },
    headers: ['Accept', accept, 'Accept-Language', 'de'],
  })
  const request = new EdgeRequest(user, '0000100020fffff00000' + '0'.repeat(12), '192.0.2.1', {
    ...{ directory, clocks: systemClocks },
    ...(pages && { pages }),
  })
  request.site = directory.application('wiki')
  request.fail(new ExchangeFailed('application', 'application-unreachable'))
  return { user, body: user.one('write')?.[0] as string | undefined }
}

describe('an answer of ours', () => {
  test('bears the name and logo of the tenant', () => {
    const { user, body } = failed({})
    expect(user.status).toBe(502)
    expect(body).toContain('<title>Application not reachable · Contoso &amp; Sons</title>')
    expect(body).toContain(`<img src="${LOGO}" alt=""><span>Contoso &amp; Sons</span>`)
    expect(headerValue(user.headers, 'content-security-policy')).toContain('img-src data:')
  })

  test('leads back to where the user wanted to go, and to the front page', () => {
    const { body } = failed({})
    expect(body).toContain('<a href="/wiki/page?x=%22y">Try again</a>')
    expect(body).toContain('<a href="/wiki/">Go to the start page</a>')
  })

  test('does not lead back to what a link cannot ask for, or to where it is not safe', () => {
    for (const head of [{ method: 'POST' }, { target: '//evil.example/' }]) {
      const { body } = failed(head)
      expect(body).toContain('<a href="/wiki/">Go to the start page</a>')
      expect(body).not.toContain('Try again</a>')
      expect(body).not.toContain('evil.example')
    }
  })

  test('to HEAD has the head of the page, and no body', () => {
    const [page, head] = [failed({}), failed({ method: 'HEAD' })]
    expect(head.user.status).toBe(502)
    expect(head.user.headers).toEqual(page.user.headers)
    expect(head.body).toBeUndefined()
    expect(head.user.verbs).toContain('end')
  })

  test('is a problem for programs, in the same words', () => {
    const { user, body } = failed({ accept: '*/*' })
    expect(headerValue(user.headers, 'content-type')).toBe('application/problem+json')
    const problem = JSON.parse(body!) as Record<string, string>
    expect(problem).toEqual({
      type: 'urn:app-proxy:problem:application-unreachable',
      title: 'Application not reachable',
      status: 502,
      detail: expect.any(String),
      code: 'application-unreachable',
      source: 'application',
      requestId: '0001-0010-zzzz-0000',
      delivery: 'none',
    })
    const page = failed({}).body!
    for (const text of [
      problem['title'],
      problem['detail'],
      problem['code'],
      '0001-0010-zzzz-0000',
    ])
      expect(page).toContain(text)
  })

  test("has an embedder's words, in the language the user's browser prefers", () => {
    const words: PageRenderer['words'] = ({ code }, language) =>
      language === 'de' ? { title: `Hoppla: ${code}`, language } : {}
    const { body } = failed({}, { words })
    expect(body).toContain('<h1>Hoppla: application-unreachable</h1>')
    expect(body).toContain('<html lang="de">')
  })
})
