/**
 * A publisher at a terminal: `app-proxy admin configuration` against a cloud and a connector, each a process of its own,
 * and a user who comes to what was published.
 */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AppliedView, VersionView } from '../src/cloud/admin/index.ts'
import type { DirectoryInput } from '../src/cloud/index.ts'
import { cli } from '../src/cli/cli.ts'
import { EXIT } from '../src/cli/program/exit-codes.ts'
import { exitCodeOf } from '../src/cli/program/program.ts'
import { Example } from '../test/integration/processes.ts'
import { until } from '../test/until.ts'

const SECRET = 'planted-secret-of-a-client'
const root = mkdtempSync(join(tmpdir(), 'app-proxy-configuration-'))
const at = (name: string) => join(root, name)
const write = (name: string, value: unknown) =>
  writeFileSync(at(name), JSON.stringify(value), { mode: 0o600 })
const application = createServer((request, response) =>
  response.end(`for ${request.headers['x-forwarded-host']}`),
)
let cloud: Example<{ usersUrl: string; connectorUrl: string; caFile: string }>
let connector: Example | undefined

const start = async () => {
  cloud = await Example.start('cloud run', ['--config', at('cloud.json')])
}
const published = (id: string) => ({
  ...{ id, groupId: 'default', externalUrl: `http://${id}.localhost/` },
  internalUrl: `http://127.0.0.1:${(application.address() as AddressInfo).port}/`,
  preAuthentication: 'passthrough',
})
function writeFileOf(applications: readonly object[]) {
  const issuer = 'https://id.contoso.example'
  write('cloud.json', {
    ...{ stateDir: at('state'), users: { port: 0 }, connectors: { port: 0 }, admin: {} },
    directory: {
      tenants: [
        { id: 'contoso', issuer, registrars: { audience: 'urn:r' }, enrolmentTickets: true },
      ],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications,
    },
  })
}

beforeAll(async () => {
  application.listen(0, '127.0.0.1')
  await once(application, 'listening')
  writeFileOf([published('wiki')])
  await start()
}, 120_000)

afterAll(async () => {
  await connector?.stop()
  await cloud?.stop()
  application.close()
  rmSync(root, { recursive: true, force: true })
})

async function admin(words: string, ...argv: readonly string[]) {
  const said: string[] = []
  const lines: string[] = []
  const way = ['--state-dir', at('state')]
  const code = await exitCodeOf('app-proxy', cli, {
    argv: ['admin', ...words.split(' '), ...argv, ...way],
    say: (line) => said.push(line),
    log: (line) => lines.push(line),
    signal: new AbortController().signal,
    onReload: () => undefined,
  })
  return { code, text: said.join('\n'), lines }
}

/** It must do what it is asked for. */
async function done(words: string, ...argv: readonly string[]): Promise<string> {
  const { code, text, lines } = await admin(words, ...argv)
  expect({ code, lines }, words).toMatchObject({ code: EXIT.good })
  return text
}

const json = async <T>(words: string, ...argv: readonly string[]) =>
  JSON.parse(await done(words, ...argv, '--json')) as T
const versions = async () =>
  (await json<{ items: readonly VersionView[] }>('configuration versions')).items

/** What a user gets who comes to a host. */
async function visit(host: string) {
  const { port } = new URL(cloud.ready.usersUrl)
  const options = { host: '127.0.0.1', port, agent: false, headers: { host: `${host}.localhost` } }
  const [response] = (await once(get(options), 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return `${response.statusCode} ${response.statusCode === 200 ? text : ''}`.trim()
}

test(
  'R8.10a R8.10f from a terminal: shown, changed in a file, checked, compared, applied; a user is served by what was published; put back; and as it was after a restart',
  { timeout: 240_000 },
  async () => {
    await done('tickets create', '--tenant', 'contoso', '--active', '--out', at('ticket'))
    connector = await Example.start('connector run', [
      ...['--url', cloud.ready.connectorUrl, '--ca', cloud.ready.caFile],
      ...['--state-dir', at('connector'), '--ticket-file', at('ticket')],
    ])
    await until(async () => (await visit('wiki')) === '200 for wiki.localhost', 60_000)
    expect(await visit('mail')).toBe('404')

    // What is shown is written to a file, changed there, and compared.
    await done('configuration show', '--out', at('published.json'))
    expect(statSync(at('published.json')).mode & 0o777).toBe(0o600)
    const shown = JSON.parse(readFileSync(at('published.json'), 'utf8')) as DirectoryInput
    const post = {
      ...{ ...published('post'), preAuthentication: 'oidc' },
      client: { id: 'post', secret: SECRET },
    }
    const next = { ...shown, applications: [...shown.applications, published('mail'), post] }
    write('published.json', next)
    expect(await done('configuration diff', at('published.json'))).toBe(
      '+ application mail of contoso\n+ application post of contoso',
    )

    // A mistake is told by its place, and nothing is applied.
    write('mistaken.json', { ...next, groups: [{ id: 'default', tenantId: 'contosso' }] })
    for (const words of ['configuration validate', 'configuration apply']) {
      const { code, lines, text } = await admin(words, at('mistaken.json'))
      expect([code, text]).toEqual([
        words.endsWith('apply') ? EXIT.refused : EXIT.configuration,
        '',
      ])
      expect(lines.join('\n')).toContain('groups[0].tenantId: names no tenant')
    }
    expect(await done('configuration validate', at('published.json'))).toContain('no mistakes')
    expect(await versions()).toHaveLength(1)

    // Applied, the connector is told, and a user is served.
    const applied = await done('configuration apply', at('published.json'), '--comment', 'mail')
    expect(applied).toBe(
      'version 2 is in force\n+ application mail of contoso\n+ application post of contoso',
    )
    await until(async () => (await visit('mail')) === '200 for mail.localhost')
    const listed = await done('configuration versions')
    expect(listed).toMatch(/^2 .* local +mail$/m)
    expect(listed).toMatch(/^1 .* the file of cloud-1 +-$/m)

    // No secret comes back; what is applied as it is shown keeps it.
    await done('configuration show', '--out', at('published.json'))
    expect(readFileSync(at('published.json'), 'utf8')).not.toContain(SECRET)
    const same = await json<AppliedView>('configuration apply', at('published.json'))
    expect(same).toMatchObject({ isMade: false, version: 2, changes: [] })
    // Of two who change it, the second is told.
    write('other.json', { ...next, applications: [published('wiki')] })
    const stale = await admin('configuration apply', at('other.json'), '--if-match', '1')
    expect([stale.code, stale.lines[0]]).toEqual([
      EXIT.refused,
      expect.stringContaining('It is not what it was'),
    ])

    // Back, and to the one that is named.
    expect(await done('configuration rollback')).toContain('- application mail of contoso')
    expect(await visit('mail')).toBe('404')
    expect(await done('configuration rollback', '--to', '2')).toContain('version 4 is in force')
    await until(async () => (await visit('mail')) === '200 for mail.localhost')

    // After a restart it is as it was; the file says what it said.
    await connector.stop()
    await cloud.stop()
    await start()
    expect(await visit('mail')).not.toBe('404')
    expect((await versions()).map(({ version }) => version)).toEqual([4, 3, 2, 1])

    // The file is changed: it is a version.
    writeFileOf([published('wiki'), published('news')])
    cloud.signal('SIGHUP')
    await until(async () => (await visit('news')) !== '404')
    expect(await visit('mail')).toBe('404')
    expect((await versions())[0]).toMatchObject({ version: 5, by: { as: 'file', name: 'cloud-1' } })
    // And so it is where it was changed while nobody ran.
    await cloud.stop()
    writeFileOf([published('wiki'), published('post')])
    await start()
    expect(await visit('news')).toBe('404')
    expect((await versions())[0]).toMatchObject({ version: 6, by: { as: 'file' } })
    expect(await done('configuration rollback', '--to', '2')).toContain('version 7 is in force')
    expect(await visit('mail')).not.toBe('404')
    expect(cloud.said.join('\n')).not.toContain(SECRET)
  },
)
