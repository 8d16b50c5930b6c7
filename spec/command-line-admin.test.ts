/**
 * An operator at a terminal: `app-proxy admin` against a cloud and a connector, each a process of its own.
 */
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type {
  AuthorityView,
  ConnectorView,
  NewTicketView,
  TicketView,
} from '../src/cloud/admin/index.ts'
import { cli } from '../src/cli/cli.ts'
import { EXIT } from '../src/cli/program/exit-codes.ts'
import { exitCodeOf } from '../src/cli/program/program.ts'
import { certificateOf } from '../test/cli/mistaken.ts'
import { Example } from '../test/integration/processes.ts'
import { startIssuer, type Issuer } from '../test/issuer.ts'
import { until } from '../test/until.ts'

const root = mkdtempSync(join(tmpdir(), 'app-proxy-admin-'))
const at = (name: string) => join(root, name)
const tokenFile = join(root, 'state', 'admin-token')
const AUDIENCE = 'urn:admin'
interface Ready {
  readonly connectorUrl: string
  readonly caFile: string
  readonly adminUrl: string
  readonly adminSocket: string
}
let issuer: Issuer
let cloud: Example<Ready>
/** The socket, and the token that is made for it. */
const way = ['--state-dir', at('state')]

const ADMIN = {
  ...{ port: 0, tls: { certFile: at('admin.crt'), keyFile: at('admin.key') } },
  access: { audience: AUDIENCE, roles: { reader: 'looks' } },
}

/** Writes it; gives its path. */
function configurationOf(admin: object): string {
  const configuration = {
    stateDir: at('state'),
    users: { port: 0 },
    connectors: { port: 0 },
    alarms: { registrations: 1 },
    admin,
    directory: {
      tenants: [
        {
          id: 'contoso',
          issuer: issuer.url,
          registrars: { audience: 'urn:registration' },
          enrolmentTickets: true,
        },
      ],
      groups: [
        { id: 'default', tenantId: 'contoso' },
        { id: 'berlin', tenantId: 'contoso' },
      ],
      applications: [
        {
          id: 'wiki',
          groupId: 'default',
          externalUrl: 'http://wiki.localhost/',
          internalUrl: 'http://127.0.0.1:1/',
          preAuthentication: 'passthrough',
        },
      ],
    },
  }
  writeFileSync(at('cloud.json'), JSON.stringify(configuration), { mode: 0o600 })
  return at('cloud.json')
}

beforeAll(async () => {
  issuer = await startIssuer()
  const { key, certificate, ca } = await certificateOf(Date.now())
  writeFileSync(at('admin.crt'), certificate)
  writeFileSync(at('admin.key'), key, { mode: 0o600 })
  writeFileSync(at('admin-ca.pem'), ca)
  cloud = await Example.start('cloud run', ['--config', configurationOf(ADMIN)])
}, 120_000)

afterAll(async () => {
  await cloud?.stop()
  await issuer?.close()
  rmSync(root, { recursive: true, force: true })
})

async function run(...argv: readonly string[]) {
  const said: string[] = []
  const lines: string[] = []
  const code = await exitCodeOf('app-proxy', cli, {
    argv,
    say: (line) => said.push(line),
    log: (line) => lines.push(line),
    signal: new AbortController().signal,
    onReload: () => undefined,
  })
  return { code, text: said.join('\n'), lines }
}

const admin = (words: string, ...argv: readonly string[]) =>
  run('admin', ...words.split(' '), ...argv, ...way)

/** It must do what it is asked for. */
async function done(words: string, ...argv: readonly string[]): Promise<string> {
  const { code, text, lines } = await admin(words, ...argv)
  expect({ code, lines }, words).toMatchObject({ code: EXIT.good })
  return text
}

/** Of somebody who has that role at the tenant's issuer. */
const token = (role: string) =>
  issuer.sign({ aud: AUDIENCE, sub: 'alice', roles: [role], client_id: 'cli', jti: role })

const json = async <T>(words: string, ...argv: readonly string[]) =>
  JSON.parse(await done(words, ...argv, '--json')) as T

test(
  'R8.7e tickets and connectors from a terminal: made, listed, approved, renamed, disabled; what was changed meanwhile stays; what is revoked loses its link; authorities are rolled',
  { timeout: 240_000 },
  async () => {
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600)
    expect(statSync(cloud.ready.adminSocket).mode & 0o777).toBe(0o600)
    // By the configuration the state directory is found.
    const found = await run('admin', 'connectors', 'list', '--config', at('cloud.json'))
    expect(found.code).toBe(EXIT.good)
    expect(found.text).toMatch(/^ID +NAME +TENANT +GROUP +STANDING +LINKS +IN FLIGHT +LAST SEEN$/)

    // Tickets.
    const secret = await done('tickets create', '--tenant', 'contoso', '--minutes', '5')
    expect(secret).toMatch(/^[A-Za-z0-9_-]{40,}$/)
    const { id } = (await json<{ items: TicketView[] }>('tickets list')).items[0]!
    const listed = await done('tickets list', '--tenant', 'contoso')
    expect(listed).toContain(id)
    expect(listed).not.toContain(secret)
    expect(await done('tickets revoke', id)).toBe(`ticket ${id} is revoked`)
    expect(await json('tickets list')).toEqual({ items: [] })
    const ticket = ['--tenant', 'contoso', '--out', at('ticket')]
    const made = await json<NewTicketView>('tickets create', ...ticket)
    expect(made).not.toHaveProperty('ticket')
    expect(statSync(at('ticket')).mode & 0o777).toBe(0o600)

    // A connector that is registered by it waits, and is approved.
    const connectorWay = [
      ...['--url', cloud.ready.connectorUrl, '--ca', cloud.ready.caFile],
      ...['--state-dir', at('connector'), '--ticket-file', at('ticket')],
    ]
    const name = ['--name', 'first\u001b[2J']
    expect(await run('connector', 'register', ...connectorWay, ...name)).toMatchObject({ code: 0 })
    const pending = await done('connectors list', '--standing', 'pending')
    const connectorId = pending.split('\n')[1]!.split(' ')[0]!
    // What a terminal would take for a command is none.
    expect(pending).toContain('first\uFFFD[2J')
    // As many registrations as this tells its operator.
    const alarm = expect.stringMatching(
      /"type":"alarm\.registrations".*"count":1,"windowMs":600000/,
    )
    expect(cloud.said).toContainEqual(alarm)
    const approved = await done('connectors approve', connectorId, '--hours', '2')
    expect(approved).toContain('of group default is active until 2')
    expect(await done('connectors list', '--standing', 'pending')).not.toContain(connectorId)

    // Of two who change the same, the second is told, and changes nothing.
    const { etag } = await json<ConnectorView>('connectors show', connectorId)
    expect(await done('connectors rename', connectorId, 'second')).toContain('"second"')
    const stale = await admin('connectors disable', connectorId, '--if-match', etag)
    expect(stale.code).toBe(EXIT.refused)
    expect(stale.lines).toEqual([
      'app-proxy admin connectors disable: the cloud said no: It is not what it was: look at it again (somebody else changed it, and nothing was changed now; "show" tells what it is)',
    ])
    const after = await json<ConnectorView>('connectors show', connectorId)
    expect(after).toMatchObject({ name: 'second', standing: 'active' })
    expect(await done('connectors disable', connectorId)).toContain('is disabled')
    expect(await done('connectors approve', connectorId)).toMatch(/is active$/)
    expect(await done('connectors move', connectorId, 'berlin')).toContain('of group berlin')
    expect(await done('connectors move', connectorId, 'default')).toContain('of group default')

    // Its link is seen, and cut.
    let connector = await Example.start('connector run', connectorWay.slice(0, -2))
    try {
      const links = async () => (await json<ConnectorView>('connectors show', connectorId)).links
      await until(async () => (await links()) === 1)
      expect(await done('connectors show', connectorId)).toMatch(/^ {2}links +1, 0 of \d+ in/m)
      expect(await done('instances list')).toMatch(
        /^ID +STATE +HEARD .*\ncloud-1 +serving +is asked +1 +0 +\d+\.\d+\S* .* https:\/\/127\.0\.0\.1:\d+$/,
      )
      expect(await done('queue list')).toMatch(/^default +contoso +1 .* 0 +- +0 +0 +0$/m)
      expect(await done('groups list')).toMatch(/^default .* contoso +1 +1 .*wiki$/m)
      expect(await done('applications list')).toMatch(/^wiki .* http:\/\/wiki\.localhost\/$/m)

      // What certified it is rolled, and what it knows the cloud by: it stays who it is.
      for (const of of [[], ['--servers']]) {
        const roots = readFileSync(cloud.ready.caFile, 'utf8')
        expect(await done('authority show', ...of)).toMatch(/^ {2}state +one root$/m)
        const rolled = await done('authority roll', '--begins-in', '0', ...of)
        expect(rolled).toContain('1 connectors need the root before')
        expect(rolled).toContain(`${connectorId} "second" of tenant contoso, active`)
        const again = await admin('authority roll', ...of)
        expect(again.code).toBe(EXIT.refused)
        expect(again.lines.join()).toContain('a roll is under way')
        await until(async () => (await admin('authority finish', ...of)).code === 0, 100_000)
        const finished = await json<AuthorityView>('authority show', ...of)
        expect(finished).toMatchObject({ state: 'one', remaining: { total: 0 } })
        if (of.length === 0) continue
        await until(() => readFileSync(cloud.ready.caFile, 'utf8') !== roots)
        await connector.stop()
        connector = await Example.start('connector run', connectorWay.slice(0, -2))
        await until(async () => (await links()) === 1)
      }
      expect((await json<{ items: ConnectorView[] }>('connectors list')).items).toHaveLength(1)

      expect(await done('connectors revoke', connectorId)).toContain('is revoked')
      await until(async () => (await links()) === 0)
    } finally {
      await connector.stop()
    }
    expect(await done('connectors forget', connectorId)).toContain('is forgotten')
    expect(await json('connectors list')).toEqual({ items: [] })
    expect(await done('sessions list')).toMatch(/^ID +USER/)
    await done('sessions end', '--tenant', 'contoso', '--subject', 'alice')
  },
)

test('R8.7e what is wrong is one line, with what is to be done', async () => {
  writeFileSync(at('other-token'), `${'a'.repeat(43)}\n`, { mode: 0o600 })
  writeFileSync(at('open-token'), readFileSync(tokenFile), { mode: 0o644 })
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const nobody = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`
  closed.close()
  await once(closed, 'close')
  const list = (...argv: readonly string[]) => run('admin', 'connectors', 'list', ...argv)
  writeFileSync(at('token'), await token('looks'), { mode: 0o600 })
  const told = [
    [
      await list(...way, '--token-file', at('other-token')),
      EXIT.refused,
      /the cloud said no: The token is not good here \(--token-file must be the admin-token/,
    ],
    [await list(...way, '--token-file', at('open-token')), EXIT.usage, /--token-file: /],
    [await list(...way, '--token-file', at('none')), EXIT.usage, /--token-file: there is no such/],
    [
      await list('--url', nobody, '--token-file', at('token')),
      EXIT.unreachable,
      /cannot be reached \(ECONNREFUSED\): does the cloud run, with "admin"/,
    ],
    [
      await list('--url', 'http://cloud.example', '--token-file', at('token')),
      EXIT.usage,
      /--url: must be an https URL, or http on this machine/,
    ],
    [
      await list('--url', 'https://cloud.example'),
      EXIT.usage,
      /--token-file: is needed with --url/,
    ],
    [
      await list('--url', cloud.ready.adminUrl, '--token-file', tokenFile),
      EXIT.usage,
      /--token-file: must hold an issuer's token: the local token is shown at the socket alone/,
    ],
    [
      await admin('connectors revoke', 'nobody'),
      EXIT.refused,
      /the cloud said no: There is nothing here \("list" tells what there is\)/,
    ],
    [await admin('tickets create', '--tenant', 'fabrikam'), EXIT.refused, /the cloud said no: /],
    [
      await admin('connectors list', '--standing', 'gone'),
      EXIT.refused,
      /said no: query\.standing/,
    ],
    [await admin('sessions end'), EXIT.usage, /--subject: or --session must be given/],
  ] as const
  const local = readFileSync(tokenFile, 'utf8').trim()
  for (const [{ code, text, lines }, exit, line] of told) {
    expect({ code, text, lines }).toEqual({ code: exit, text: '', lines: [expect.any(String)] })
    expect(lines[0]).toMatch(line)
    expect(lines[0]).not.toContain(local)
  }
})

test('R8.7f at its port it is called by TLS with a token of an issuer, and its roles are what counts', async () => {
  writeFileSync(at('reader'), await token('looks'), { mode: 0o600 })
  writeFileSync(at('nobody'), await token('app-proxy.reader'), { mode: 0o600 })
  const { adminUrl } = cloud.ready
  expect(adminUrl).toMatch(/^https:/)
  const call = (file: string, ...words: readonly string[]) =>
    run('admin', ...words, '--url', adminUrl, '--ca', at('admin-ca.pem'), '--token-file', at(file))
  const listed = await call('reader', 'groups', 'list')
  expect({ code: listed.code, lines: listed.lines }).toEqual({ code: EXIT.good, lines: [] })
  expect(listed.text).toMatch(/^default /m)
  const lacking = await call('reader', 'tickets', 'create', '--tenant', 'contoso')
  expect(lacking).toMatchObject({ code: EXIT.refused, text: '' })
  // It has a role by another name.
  expect(await call('nobody', 'groups', 'list')).toMatchObject({ code: EXIT.refused, text: '' })
  // Who has no certificate that is known is shown nothing.
  const unknown = await run(
    ...['admin', 'groups', 'list', '--url', adminUrl, '--token-file', at('reader')],
  )
  expect(unknown).toMatchObject({ code: EXIT.unreachable, text: '' })
})

test('R8.7e the token is shown to nobody that the cloud was not asked for, and another service is told from the admin API', async () => {
  const asked: string[] = []
  const target = createServer((request, response) => {
    asked.push(request.url!)
    response.end()
  }).listen(0, '127.0.0.1')
  await once(target, 'listening')
  const location = `http://127.0.0.1:${(target.address() as AddressInfo).port}/`
  const answers: ((response: ServerResponse) => void)[] = [
    (response) => response.writeHead(307, { location }).end(),
    (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>hello'),
    (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"items'),
  ]
  const other = createServer((_: IncomingMessage, response) => answers[0]!(response))
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
  try {
    writeFileSync(at('shown'), await token('looks'), { mode: 0o600 })
    while (answers.length > 0) {
      const ended = await run(
        ...['admin', 'connectors', 'list', '--url', url, '--token-file', at('shown')],
      )
      expect(ended).toEqual({
        code: EXIT.failed,
        text: '',
        lines: [
          `app-proxy admin connectors list: what answers at ${url} is no admin API: --url must be that of "admin" in the cloud's configuration`,
        ],
      })
      answers.shift()
    }
    expect(asked).toEqual([])
  } finally {
    for (const server of [other, target]) {
      server.closeAllConnections()
      server.close()
    }
  }
})

test(
  'R8.7f who has the port while the cloud does not run, or may enter its directory, is not shown the local token',
  { timeout: 120_000 },
  async () => {
    const { adminUrl, adminSocket } = cloud.ready
    const port = Number(new URL(adminUrl).port)
    const file = configurationOf({ ...ADMIN, port })
    cloud.signal('SIGKILL')
    await cloud.stop()
    expect(statSync(adminSocket).isSocket()).toBe(true)
    let heard = 0
    const impostor = createServer((_, response) => response.end())
    impostor.on('connection', () => (heard += 1))
    impostor.listen(port, '127.0.0.1')
    await once(impostor, 'listening')
    const list = (...argv: readonly string[]) => run('admin', 'connectors', 'list', ...argv)
    for (const here of [['--config', file], way])
      expect(await list(...here)).toEqual({
        code: EXIT.unreachable,
        text: '',
        lines: [expect.stringContaining(`the admin API at ${adminSocket} cannot be reached`)],
      })
    const shown = await list('--url', adminUrl, '--token-file', tokenFile)
    expect(shown).toMatchObject({ code: EXIT.usage, text: '' })
    // Where others may enter, it is not shown at the socket either.
    chmodSync(at('state'), 0o755)
    const open = await list(...way)
    expect(open.lines.join()).toContain('only its owner may have rights to it')
    chmodSync(at('state'), 0o700)
    expect(heard).toBe(0)
    impostor.close()
    await once(impostor, 'close')

    // What was left is in nobody's way.
    cloud = await Example.start('cloud run', ['--config', file])
    expect(await list('--config', file)).toMatchObject({ code: EXIT.good, lines: [] })
    await cloud.stop()
    expect(existsSync(adminSocket)).toBe(false)
  },
)
