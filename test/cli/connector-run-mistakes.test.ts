/**
 * What `app-proxy connector run` says of an operator's mistakes: each is one line that says where and what, and ends it with the code of who has to act.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startIssuer, type Issuer } from '../issuer.ts'
import { registrarToken } from '../integration/registrar-token.ts'
import { startTunnel, type Tunnel } from '../integration/tunnel.ts'
import { asProcess, certificateOf, commandIn, expectLines, MistakenFolder } from './mistaken.ts'

const folder = new MistakenFolder()
const command = commandIn(folder, 'connector run')
const PRIVATE = { mode: 0o600 }
let tunnel: Tunnel
let stranger: Issuer

beforeAll(async () => {
  tunnel = await startTunnel({ backend: (_, response) => response.end(), noConnector: true })
  stranger = await startIssuer()
  const [now, old] = await Promise.all([
    certificateOf(Date.now()),
    certificateOf(Date.UTC(2010, 0, 1)),
  ])
  writeFileSync(folder.at('ca.pem'), tunnel.ca)
  writeFileSync(folder.at('other-ca.pem'), now!.ca)
  writeFileSync(folder.at('old-ca.pem'), old!.certificate)
  writeFileSync(folder.at('text'), 'not PEM', PRIVATE)
  writeFileSync(folder.at('empty'), ' \n', PRIVATE)
  writeFileSync(folder.at('token'), await registrarToken(tunnel.issuer), PRIVATE)
  writeFileSync(folder.at('open-token'), 'a.b.c', { mode: 0o644 })
  const secrets = [
    { form: 'bearer', token: 'x', origins: [] },
    { form: 'bearer', token: 'x', origins: ['http://a.example'] },
  ]
  writeFileSync(folder.at('secrets.json'), JSON.stringify({ secrets }), PRIVATE)
  mkdirSync(folder.at('open-state'), { mode: 0o755 })
  for (const [name, identity] of Object.entries({
    'no-json': '{ "version": 1, ',
    'no-identity': '{ "version": 1, "current": {} }',
    'no-key': JSON.stringify({ version: 1, pendingKey: { privateKey: 'x', publicKey: 'y' } }),
  })) {
    mkdirSync(folder.at(name), { mode: 0o700 })
    writeFileSync(folder.at(name, 'identity.json'), identity, PRIVATE)
  }
})
afterAll(async () => {
  await tunnel.close()
  await stranger.close()
  folder.remove()
})

let states = 0
/** Nothing is wrong with it; `more` comes later, and counts. */
function argumentsOf(more: Readonly<Record<string, string | undefined>> = {}): string[] {
  const all = {
    url: tunnel.connectorUrl,
    'state-dir': folder.at(`state-${states++}`),
    ca: folder.at('ca.pem'),
    'token-file': folder.at('token'),
    ...more,
  }
  return Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value.replace('DIR', folder.path)],
  )
}

// prettier-ignore
test.each<[what: string, argv: readonly string[], ...lines: string[]]>([
  ['no options', [], '--url: is missing', '--state-dir: is missing'],
  ['an option with a slip', ['--url', 'https://c.example', '--state-dri', 's'], '--state-dri: is not known here; "--state-dir" was probably meant'],
  ['an option that there is not', ['--url', 'https://c.example', '--state-dir', 's', '--colour=red'], '--colour: is not known here: there are --url, --ca, --state-dir, --token-file, --ticket-file, --name, --sign-on, --health-port, --health-host, --log-level, --log-format, --json, --verbose, --help'],
  ['an option without its value', ['--url', '--state-dir', 's'], '--url: needs a value behind it: URL'],
  ['an option with an empty value', ['--url=', '--state-dir', 's'], '--url: must not be empty (is "")'],
  ['a token on the command line', ['--url', 'https://c.example', '--state-dir', 's', 'eyJ.eyJ.x'], 'argument 1: is more than this program takes'],
  ['an option twice', ['--url', 'https://c.example', '--url', 'https://d.example', '--state-dir', 's'], '--url: is given twice'],
])('the command line: %s', async (_, argv, ...lines) =>
  expectLines('app-proxy connector run', await command(argv), lines),
)

// prettier-ignore
test.each<[what: string, change: Readonly<Record<string, string | undefined>>, ...lines: string[]]>([
  ['nowhere to dial', { url: undefined }, '--url: is missing'],
  ['a token and a ticket', { 'ticket-file': 'DIR/token' }, '--ticket-file: cannot be combined with --token-file'],
  ['a file that holds no ticket', { 'token-file': undefined, 'ticket-file': 'DIR/token' }, '--ticket-file: holds no ticket: one is 43 characters of base64url (is "DIR/token")'],
  ['a ticket in the place of its file', { 'token-file': undefined, 'ticket-file': 'A'.repeat(43) }, '--ticket-file: there is no such file'],
  ['a token in the place of its file', { 'token-file': `eyJhbGciOiJFUzI1NiJ9.${'A'.repeat(500)}.c2ln` }, '--token-file: cannot be read (ENAMETOOLONG)'],
  ['an empty ticket', { 'token-file': undefined, 'ticket-file': 'DIR/empty' }, '--ticket-file: is empty (is "DIR/empty")'],
  ['no URL', { url: 'cloud.example' }, '--url: must be an https URL, such as https://cloud.example:8444 (is "cloud.example")'],
  ['a URL in the clear', { url: 'http://cloud.example' }, '--url: must be an https URL (is "http://cloud.example")'],
  ['credentials in the URL', { url: 'https://me:secret@cloud.example' }, '--url: must not hold credentials'],
  ['a query in the URL', { url: 'https://cloud.example/?x=1' }, '--url: must not have a query or a fragment (is "https://cloud.example/?x=1")'],
  ['too long a name', { name: 'n'.repeat(1025) }, '--name: must have at most 1024 characters'],
  ['an authority that is not there', { ca: 'DIR/none.pem' }, '--ca: there is no such file (is "DIR/none.pem")'],
  ['a directory for an authority', { ca: 'DIR/open-state' }, '--ca: is not a file (is "DIR/open-state")'],
  ['no authority', { ca: 'DIR/text' }, '--ca: holds no certificate (is "DIR/text")'],
  ['an authority that has ended', { ca: 'DIR/old-ca.pem' }, '--ca: the certificate expired on 2010-04-01 (is "DIR/old-ca.pem")'],
  ['no token', { 'token-file': undefined }, '--token-file: or --ticket-file is missing: there is no identity in --state-dir yet'],
  ['a token that is not there', { 'token-file': 'DIR/none' }, '--token-file: there is no such file (is "DIR/none")'],
  ['a token that others can read', { 'token-file': 'DIR/open-token' }, '--token-file: holds a secret: only its owner may have rights to it (its mode is 0644: chmod 600) (is "DIR/open-token")'],
  ['an empty token', { 'token-file': 'DIR/empty' }, '--token-file: is empty (is "DIR/empty")'],
  ['no token in the file', { 'token-file': 'DIR/text' }, '--token-file: holds no access token: one is three base64url texts with dots between them (is "DIR/text")'],
  ['a state directory that others can enter', { 'state-dir': 'DIR/open-state' }, '--state-dir: holds secrets: only its owner may have rights to it (its mode is 0755: chmod 700) (is "DIR/open-state")'],
  ['a file for a state directory', { 'state-dir': 'DIR/text' }, '--state-dir: cannot be made (EEXIST) (is "DIR/text")'],
  ['a state directory below a file', { 'state-dir': 'DIR/text/state' }, '--state-dir: cannot be made (ENOTDIR) (is "DIR/text/state")'],
  ['an identity that was cut off', { 'state-dir': 'DIR/no-json' }, '--state-dir: is not JSON (is "DIR/no-json/identity.json")'],
  ['an identity of something else', { 'state-dir': 'DIR/no-identity' }, '--state-dir: "current.tenantId" is missing or of the wrong type (is "DIR/no-identity/identity.json")'],
  ['a damaged key', { 'state-dir': 'DIR/no-key' }, '--state-dir: holds a key or certificate that cannot be read (is "DIR/no-key/identity.json")'],
  ['a level that there is not', { 'log-level': 'warn' }, '--log-level: must be "error", "warning", "info" or "debug"; "warning" was probably meant (is "warn")'],
  ['a format that there is not', { 'log-format': 'xml' }, '--log-format: must be "text" or "json" (is "xml")'],
  ['no port for health', { 'health-port': '99999' }, '--health-port: must be a number from 0 to 65535 (is "99999")'],
  ['a host for health without a port', { 'health-host': '::1' }, '--health-host: means nothing without --health-port'],
  ['a host for health that is not here', { 'health-port': '0', 'health-host': '192.0.2.1' }, '--health-host: is no address of this machine (is "192.0.2.1")'],
  ['secrets that are not there', { 'sign-on': 'DIR/none' }, '--sign-on: there is no such file (is "DIR/none")'],
  ['secrets that others can read', { 'sign-on': 'DIR/open-token' }, '--sign-on: holds a secret: only its owner may have rights to it (its mode is 0644: chmod 600) (is "DIR/open-token")'],
  ['secrets in no JSON', { 'sign-on': 'DIR/text' }, 'DIR/text:1:1: is no value that JSON has'],
  ['secrets for nowhere', { 'sign-on': 'DIR/secrets.json' },
    'DIR/secrets.json: secrets[0].origins: must not be empty',
    'DIR/secrets.json: secrets[1].origins[0]: is http: a secret goes there only with "allowHttp": true'],
  ['several at once', { url: 'http://cloud.example', ca: 'DIR/none.pem', 'state-dir': 'DIR/open-state' },
    '--ca: there is no such file (is "DIR/none.pem")',
    '--state-dir: holds secrets: only its owner may have rights to it (its mode is 0755: chmod 700) (is "DIR/open-state")',
    '--url: must be an https URL (is "http://cloud.example")'],
])('a setting: %s', async (_, change, ...lines) =>
  expectLines('app-proxy connector run', await command(argumentsOf(change)), lines),
)

/** A token that the cloud says no to. */
const registered = (claims: Record<string, unknown>) => registrarToken(tunnel.issuer, claims)
// prettier-ignore
test.each<[what: string, token: () => string | Promise<string>, why: string]>([
  ['of another issuer', () => registrarToken(stranger), 'is of an issuer that no tenant has'],
  ['for another service', () => registered({ aud: 'another' }), 'is for another audience'],
  ['that has expired', () => registered({ exp: Math.floor(Date.now() / 1000) - 3600 }), 'has expired; if it is new, check the clocks'],
  ['of a user without the role', () => registered({ roles: ['reader'] }), 'does not give the registrar’s role'],
  ['of another tenant', () => registered({ tid: 'fabrikam' }), 'is of another tenant'],
  ['that nobody made', () => 'a.b.c', 'is not one the issuer made'],
])('a token %s', async (_, token, why) => {
  writeFileSync(folder.at('refused'), await token(), PRIVATE)
  const argv = argumentsOf({ 'token-file': 'DIR/refused' })
  expectLines('app-proxy connector run', await command(argv), [
    `--token-file: The registrar’s token ${why}. Get a new one and start the connector with it.`,
  ], 4)
})

test('nothing is said where nothing is wrong', async () => {
  const { code, said, lines } = await command([...argumentsOf(), '--json'])
  expect(code).toBe(0)
  expect(JSON.parse(said[0]!)).toMatchObject({ tenantId: 'contoso' })
  expect(lines.filter((line) => line.startsWith('app-proxy connector run: '))).toEqual([])
})

test('as a process it says the same; where in the program only when it is asked', async () => {
  const argv = ['--url', 'x', '--state-dir', folder.at('s')]
  const line =
    'app-proxy connector run: --url: must be an https URL, such as https://cloud.example:8444 (is "x")'
  const ended = await asProcess('connector run', argv)
  expect(ended).toEqual({ code: 2, stdout: '', stderr: `${line}\n` })
  const verbose = await command([...argv, '--verbose'])
  expect(verbose).toMatchObject({ code: 2, lines: expect.arrayContaining([line]) })
  expect(verbose.lines.join('\n')).toMatch(/^ +at /m)
})
