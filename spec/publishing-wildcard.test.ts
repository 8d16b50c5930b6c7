/** One application on a host for each of its labels. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createServer } from 'node:http'
import { listen } from '../test/integration/listen.ts'
import { BINDINGS, codeOf, publishedWorld, type PublishedWorld } from './published-world.ts'

/** Not a navigation: nobody is sent to the issuer. */
const SCRIPT = { 'sec-fetch-mode': 'cors' }
const client = { id: 'apps', secret: 'shh' }
const wildcard = (change: object = {}) => ({
  ...{ id: 'apps', name: 'Apps', externalUrl: 'https://*.apps.example/' },
  ...{ preAuthentication: 'passthrough', internalUrl: undefined, ...change },
})

describe('R7.7a R7.7b what is published by a wildcard', () => {
  let world: PublishedWorld
  /** What got to the second private server. */
  const reached: string[] = []
  const second = createServer((request, response) => {
    reached.push(`${request.headers.host} ${request.url}`)
    const inside = request.url === '/sibling' ? 'docs.corp.internal:81' : request.headers.host
    response.setHeader('location', `http://${inside}/next`)
    response.statusCode = 302
    response.end()
  })
  let port: number
  beforeAll(async () => {
    port = await listen(second)
    const open = await publishedWorld({ applications: [] })
    world = open
    world.publish(...applications())
  })
  afterAll(async () => {
    await world.close()
    second.closeAllConnections()
    await new Promise((closed) => second.close(closed))
  })
  beforeEach(() => void [reached.splice(0), world.reached.splice(0)])
  const applications = () => [
    wildcard({
      labels: {
        mail: `http://127.0.0.1:${port}/`,
        wiki: world.internalUrl,
        docs: 'http://docs.corp.internal:81/',
        own: world.internalUrl,
      },
    }),
    { id: 'own', externalUrl: 'https://own.apps.example/team/', preAuthentication: 'passthrough' },
    {
      ...wildcard({ id: 'closed', externalUrl: 'https://*.closed.example/' }),
      ...{
        preAuthentication: 'oidc',
        client,
        labels: { hr: world.internalUrl, it: world.internalUrl },
      },
    },
  ]

  describe.each(BINDINGS)('R7.7a %s', (binding) => {
    test('R7.7a each label leads to its own internal URL', async () => {
      expect((await world.ask(binding, 'wiki.apps.example', '/a?b')).body).toBe('GET /a?b')
      expect((await world.ask(binding, 'MAIL.apps.example', '/c')).status).toBe(302)
      expect([world.reached.length, reached]).toEqual([1, [`127.0.0.1:${port} /c`]])
    })

    test.each([
      ['a label that is not listed', 'other.apps.example'],
      ['the suffix itself', 'apps.example'],
      ['two labels', 'a.mail.apps.example'],
      ['the wildcard by its name', 'x*.apps.example'],
      ['one in another spelling of Unicode', 'xn--mail-.apps.example'],
      ['a name that all objects have', 'constructor.apps.example'],
    ])(
      'R7.7a %s is nobody’s: nobody is asked who they are, nothing reaches a connector',
      async (_, host) => {
        const answer = await world.ask(binding, host)
        expect([400, 404]).toContain(answer.status)
        expect(answer.headers['set-cookie']).toBeUndefined()
        const closed = await world.ask(binding, host.replace('apps', 'closed'))
        expect([400, 404]).toContain(closed.status)
        expect(closed.headers.location).toBeUndefined()
        expect([world.reached, reached]).toEqual([[], []])
      },
    )

    test('R7.7a an application with the host’s own name has the whole host', async () => {
      expect((await world.ask(binding, 'own.apps.example', '/team/x')).body).toBe('GET /x')
      const beside = await world.ask(binding, 'own.apps.example', '/x')
      expect([beside.status, codeOf(beside)]).toEqual([404, 'unknown-application'])
    })

    test('R7.7b what one says of itself, and of its sibling, is translated', async () => {
      const answer = await world.ask(binding, 'mail.apps.example', '/c')
      expect(answer.headers.location).toBe('https://mail.apps.example/next')
      const sibling = await world.ask(binding, 'mail.apps.example', '/sibling')
      expect(sibling.headers.location).toBe('https://docs.apps.example/next')
    })

    test('R7.7b a session is for one label', async () => {
      const cookie = await world.signIn('closed/hr')
      const there = await world.ask(binding, 'hr.closed.example', '/', { headers: { cookie } })
      expect(there.body).toBe('GET /')
      const other = await world.ask(binding, 'it.closed.example', '/', {
        headers: { ...SCRIPT, cookie },
      })
      expect([other.status, codeOf(other)]).toEqual([401, 'sign-in-required'])
      expect(world.audit).toContainEqual(
        expect.objectContaining({ type: 'access.failure', applicationId: 'closed/it' }),
      )
    })
  })

  test('R7.7b a session cannot be made of one for another label by another name of its cookie', async () => {
    const [name, value] = (await world.signIn('closed/hr')).split('=')
    expect(name).toBe('__Host-app-proxy-session-closed%2Fhr')
    const cookie = `${name!.replace('hr', 'it')}=${value}`
    const answer = await world.ask('HTTP/1.1', 'it.closed.example', '/', {
      headers: { ...SCRIPT, cookie },
    })
    expect(codeOf(answer)).toBe('sign-in-required')
  })

  test('R7.7b to connectors each label is an application of its own', () => {
    const ids = world.directory.applications().map(({ id }) => id)
    expect(ids).toEqual(['apps/mail', 'apps/wiki', 'apps/docs', 'own', 'closed/hr', 'closed/it'])
    expect(new Set(ids.map((id) => world.directory.application(id)!.version)).size).toBe(6)
    expect(world.directory.application('apps')).toBeUndefined()
  })

  test('R7.7b whoever ends the sessions of the wildcard ends those of every label', async () => {
    const cookies = [await world.signIn('closed/hr'), await world.signIn('closed/it')]
    const asked = (i: number) =>
      world.ask('HTTP/1.1', ['hr.closed.example', 'it.closed.example'][i]!, '/', {
        headers: { ...SCRIPT, cookie: cookies[i]! },
      })
    expect((await asked(0)).status).toBe(200)
    await world.cloud.sessions.revoke({
      kind: 'application',
      applicationId: 'closed',
      at: Date.now(),
    })
    expect([codeOf(await asked(0)), codeOf(await asked(1))]).toEqual([
      ...['sign-in-required', 'sign-in-required'],
    ])
  })
})
