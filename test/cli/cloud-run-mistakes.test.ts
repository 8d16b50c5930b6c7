/**
 * What `app-proxy cloud run` says of an operator's mistakes: each is one line that says where and what, and ends it with code 2, or 3 for what stands in its file.
 */
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CloudServerInput } from '../../src/cli/cloud/configuration.ts'
import {
  asProcess,
  certificateOf,
  commandIn,
  expectLines,
  MistakenFolder,
  type Ended,
} from './mistaken.ts'

const folder = new MistakenFolder()
const command = commandIn(folder, 'cloud run')
const taken = createServer()
const takenPort = () => (taken.address() as AddressInfo).port
const PRIVATE = { mode: 0o600 }

beforeAll(async () => {
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const [one, other, old] = await Promise.all([
    certificateOf(Date.now()),
    certificateOf(Date.now()),
    certificateOf(Date.UTC(2020, 0, 1)),
  ])
  writeFileSync(folder.at('cert.pem'), one!.certificate)
  writeFileSync(folder.at('old.pem'), old!.certificate)
  writeFileSync(folder.at('key.pem'), one!.key, PRIVATE)
  writeFileSync(folder.at('old-key.pem'), old!.key, PRIVATE)
  writeFileSync(folder.at('other-key.pem'), other!.key, PRIVATE)
  writeFileSync(folder.at('open-key.pem'), one!.key, { mode: 0o644 })
  writeFileSync(folder.at('text.pem'), 'not PEM', PRIVATE)
  mkdirSync(folder.at('open-state'), { mode: 0o755 })
  mkdirSync(folder.at('damaged'), { mode: 0o700 })
  writeFileSync(folder.at('damaged', 'connector-authority.pem'), 'hello', PRIVATE)
  mkdirSync(folder.at('no-registry'), { mode: 0o700 })
  writeFileSync(folder.at('no-registry', 'registry.lmdb'), 'hello', PRIVATE)
  mkdirSync(folder.at('no-token'), { mode: 0o700 })
  writeFileSync(folder.at('no-token', 'admin-token'), 'hello', PRIVATE)
  mkdirSync(folder.at('no-socket', 'admin.sock'), { recursive: true, mode: 0o700 })
  mkdirSync(folder.at('no-ring'), { mode: 0o700 })
  writeFileSync(folder.at('no-ring', 'key-ring.json'), '{}', PRIVATE)
})
afterAll(() => {
  taken.close()
  folder.remove()
})

/** Nothing is wrong with it. */
const good = () => ({
  stateDir: folder.at('state'),
  users: { port: 0 },
  connectors: { port: 0 },
  directory: {
    tenants: [
      { id: 'contoso', issuer: 'https://login.contoso.example', registrars: { audience: 'cloud' } },
    ],
    groups: [{ id: 'berlin', tenantId: 'contoso' }],
    applications: [
      {
        id: 'wiki',
        groupId: 'berlin',
        externalUrl: 'https://wiki.contoso.example/',
        internalUrl: 'http://10.0.0.7/',
        preAuthentication: 'oidc',
        client: { id: 'wiki', secret: 'not to be told' },
      },
    ],
  },
})
const withUsers = (users: object) => ({ ...good(), users: { port: 0, ...users } })
const withTls = (certFile: string, keyFile: string) =>
  withUsers({ tls: { certFile: folder.at(certFile), keyFile: folder.at(keyFile) } })
const withState = (stateDir: string) => ({ ...good(), stateDir: folder.at(stateDir) })
const withAdmin = (admin: object) => ({ ...good(), admin })
const withDirectory = (change: object) => ({
  ...good(),
  directory: { ...good().directory, ...change },
})
const withTenant = (change: object) =>
  withDirectory({ tenants: [{ ...good().directory.tenants[0], ...change }] })
const wiki = (change: object = {}) => ({ ...good().directory.applications[0]!, ...change })
const withWiki = (change: object) => withDirectory({ applications: [wiki(change)] })

/** Runs it with a file of this text, or of this JSON. */
function run(written: unknown, argv = ['--config', folder.at('cloud.json')]): Promise<Ended> {
  const text = typeof written === 'string' ? written : JSON.stringify(written)
  writeFileSync(folder.at('cloud.json'), text, PRIVATE)
  return command(argv)
}

const FILE = 'DIR/cloud.json'
const WIKI = 'in application "wiki"'

test('nothing is said of a file without mistakes', async () => {
  const { code, said, lines } = await run(good() satisfies object as CloudServerInput)
  expect({ code, lines }).toEqual({
    code: 0,
    lines: ['warning: users come by plain http: fit for this machine or behind a TLS terminator'],
  })
  expect(said).toHaveLength(1)
})

// prettier-ignore
test.each<[what: string, argv: readonly string[], ...lines: string[]]>([
  ['no options', [], '--config: is missing'],
  ['an option with a slip', ['--confg', 'x.json'], '--confg: is not known here; "--config" was probably meant'],
  ['an option that there is not', ['--config', 'x.json', '--zzz'], '--zzz: is not known here: there are --config, --instances, --json, --verbose, --help'],
  ['an option without its value', ['--config'], '--config: needs a value behind it: FILE'],
  ['an option twice', ['--config', 'a', '--config', 'b'], '--config: is given twice'],
  ['a value that nobody asked for', ['--config', 'a', 'secret'], 'argument 1: is more than this program takes'],
  ['two mistakes', ['--verbos', '3', '--confg=x'], '--verbos: is not known here; "--verbose" was probably meant', '--confg: is not known here; "--config" was probably meant'],
  ['a file that is not there', ['--config', '/nowhere/cloud.json'], '--config: there is no such file (is "/nowhere/cloud.json")'],
  ['a directory for a file', ['--config', '/tmp'], '--config: is not a file (is "/tmp")'],
])('the command line: %s', async (_, argv, ...lines) =>
  expectLines('app-proxy cloud run', await run(good(), [...argv]), lines),
)

// prettier-ignore
test.each<[what: string, text: () => unknown, ...lines: string[]]>([
  ['an empty file', () => '', `${FILE}:1:1: is empty: JSON is needed`],
  ['a comma too many', () => '{\n  "stateDir": "s",\n}', `${FILE}:3:1: a "," stands before the end: JSON has none there`],
  ['a comma too few', () => '{\n  "stateDir": "s"\n  "users": {}\n}', `${FILE}:2:18: "," or "}" is missing here`],
  ['single quotes', () => "{ \"stateDir\": 's' }", `${FILE}:1:15: strings stand between double quotes in JSON`],
  ['a mark of a comment that JSON has not', () => '{\n  # why\n}', `${FILE}:2:3: JSON has no comments`],
  ['a file that was cut off', () => '{ "stateDir": "s"', `${FILE}:1:18: "," or "}" is missing here`],
  ['a member twice', () => '{ "users": { "port": 1, "port": 2 } }', `${FILE}:1:25: users.port: is written twice: only one of them counts`],
  ['a list', () => '[]', `${FILE}: must be an object with "stateDir", "users", "connectors" and "directory", not a list`],
  ['nothing in it', () => ({}), `${FILE}: stateDir: is missing`, `${FILE}: users: is missing`, `${FILE}: connectors: is missing`, `${FILE}: directory: is missing`],
  ['a member with a slip', () => ({ ...good(), stateDir: undefined, stateDirectory: 's' }), `${FILE}: stateDirectory: is not known here; "stateDir" was probably meant`],
  ['a port in quotes', () => withUsers({ port: '8080' }), `${FILE}: users.port: must be a number, not a string (is "8080")`],
  ['a port beyond', () => withUsers({ port: 70_000 }), `${FILE}: users.port: must be at most 65535 (is 70000)`],
  ['a service that users reach in the open', () => ({ ...good(), serviceUrl: 'http://service.example/' }), `${FILE}: serviceUrl: must be an https URL, except on localhost (is "http://service.example/")`],
  ['public keys in the place of the keys', () => ({ ...good(), assertions: { keysFile: folder.at('keys.json'), publicKeysFile: `${folder.path}/./keys.json` } }), `${FILE}: assertions.publicKeysFile: is where the keys themselves are kept`],
  ['a port for health without a number', () => ({ ...good(), health: {} }), `${FILE}: health.port: is missing`],
  ['a group that must be served and is not there', () => ({ ...good(), health: { port: 0, requireGroups: ['berlin', 'rome'] } }), `${FILE}: health.requireGroups[1]: names no group (is "rome")`],
  ['an admin API for others', () => ({ ...good(), admin: { port: 0, host: '0.0.0.0' } }), `${FILE}: admin.host: must be "127.0.0.1", "::1" or "localhost" where there is no "tls" (is "0.0.0.0")`],
  ['an admin API that nobody can name', () => withAdmin({ port: 0, host: '0.0.0.0', tls: { certFile: 'c', keyFile: 'k' } }), `${FILE}: admin.hosts: is missing: calls are for a host, and none but this machine is known`],
  ['a certificate for no port', () => withAdmin({ tls: { certFile: 'c', keyFile: 'k' } }), `${FILE}: admin.port: is missing: what "host" and "tls" say is of a port`],
  ['tokens for registrars at the admin API', () => withAdmin({ port: 0, access: { audience: 'cloud' } }), `${FILE}: admin.access.audience: is that of registrars: choose another (is "cloud")`],
  ['a tenant that would operate the service', () => withAdmin({ port: 0, access: { audience: 'admin', service: { issuer: 'https://login.contoso.example', role: 'all' } } }), `${FILE}: admin.access.service.issuer: is a tenant's: its tokens speak for that tenant (is "https://login.contoso.example")`],
  ['a state directory too deep for a socket', () => ({ ...withAdmin({}), stateDir: `/${'d/'.repeat(60)}` }), `${FILE}: stateDir: is too long: with "admin" it has a socket, admin.sock, whose path has 131 octets; it may have 107`],
  ['half a port', () => withUsers({ port: 80.5 }), `${FILE}: users.port: must be a whole number (is 80.5)`],
  ['a word with a slip', () => withUsers({ tls: 'genrated' }), `${FILE}: users.tls: must be "generated" or an object with "certFile" and "keyFile"; "generated" was probably meant (is "genrated")`],
  ['a certificate without a key', () => withUsers({ tls: { certFile: 'c.pem' } }), `${FILE}: users.tls.keyFile: is missing`],
  ['no network', () => withUsers({ trustedProxies: { networks: ['10.0.0.1/8'] } }), `${FILE}: users.trustedProxies.networks[0]: must be a network, such as "192.0.2.0/24" or "2001:db8::/32", without bits beyond its prefix (is "10.0.0.1/8")`],
  ['a URL that no connector takes', () => ({ ...good(), connectors: { port: 0, publicUrl: 'http://cloud.example' } }), `${FILE}: connectors.publicUrl: must be an https URL (is "http://cloud.example")`],
  ['a limit with a slip', () => ({ ...good(), limits: { queueWait: 5 } }), `${FILE}: limits.queueWait: is not known here; "queueWaitMs" was probably meant`],
  ['a limit of nothing', () => ({ ...good(), limits: { claimMs: 0 } }), `${FILE}: limits.claimMs: must be at least 1 (is 0)`],
  ['a sink that there is not', () => ({ ...good(), audit: { to: 'stdot' } }), `${FILE}: audit.to: must be "stdout", "stderr" or an object with "file"; "stdout" was probably meant (is "stdot")`],
  ['a level that there is not', () => ({ ...good(), log: { level: 'warn' } }), `${FILE}: log.level: must be "error", "warning", "info" or "debug"; "warning" was probably meant (is "warn")`],
  ['a format that there is not', () => ({ ...good(), log: { format: 'xml' } }), `${FILE}: log.format: must be "text" or "json" (is "xml")`],
  ['no tenant', () => withDirectory({ tenants: [] }), `${FILE}: directory.tenants: must not be empty`],
  ['an issuer in the clear', () => withTenant({ issuer: 'http://login.example' }), `${FILE}: directory.tenants[0].issuer: must be https, except on localhost (is "http://login.example")`],
  ['a tenant without group', () => withDirectory({ tenants: [...good().directory.tenants, { id: 'b', issuer: 'https://b.example', registrars: { audience: 'cloud' } }] }), `${FILE}: directory.tenants[1]: has no connector group`],
  ['an application of a group with a slip', () => withWiki({ groupId: 'berlni' }), `${FILE}: directory.applications[0].groupId: names no group; "berlin" was probably meant (is "berlni", ${WIKI})`],
  ['no address', () => withWiki({ externalUrl: undefined }), `${FILE}: directory.applications[0].externalUrl: is missing (${WIKI})`],
  ['another spelling', () => withWiki({ externalUrl: undefined, externalURL: 'https://wiki.contoso.example/' }), `${FILE}: directory.applications[0].externalURL: is not known here; "externalUrl" was probably meant (${WIKI})`],
  ['another case', () => withWiki({ preAuthentication: 'OIDC' }), `${FILE}: directory.applications[0].preAuthentication: must be "oidc" or "passthrough"; "oidc" was probably meant (is "OIDC", ${WIKI})`],
  ['nobody who could sign in', () => withWiki({ client: undefined }), `${FILE}: directory.applications[0].client: is missing (${WIKI})`],
  ['a secret in the place of a client', () => withWiki({ client: 'not to be told' }), `${FILE}: directory.applications[0].client: must be an object with "id", not a string (${WIKI})`],
  ['credentials in a URL', () => withWiki({ internalUrl: 'http://me:secret@10.0.0.7/' }), `${FILE}: directory.applications[0].internalUrl: must not hold credentials (${WIKI})`],
  ['a client where nobody signs in', () => withWiki({ preAuthentication: 'passthrough' }), `${FILE}: directory.applications[0].client: has no meaning with "passthrough" (${WIKI})`],
  ['two applications at one address', () => withDirectory({ applications: [wiki(), wiki({ id: 'copy' })] }), `${FILE}: directory.applications[1].externalUrl: is published already, by "wiki" (is "https://wiki.contoso.example/", in application "copy")`],
  ['two applications of one id', () => withDirectory({ applications: [wiki(), wiki({ externalUrl: 'https://b.example/' })] }), `${FILE}: directory.applications[1].id: is not unique (is "wiki", ${WIKI})`],
  ['a policy for an application with a slip', () => withTenant({ policies: [{ id: 'p', effect: 'allow', applications: ['wikki'] }] }), `${FILE}: directory.tenants[0].policies[0].applications[0]: names no application of this tenant; "wiki" was probably meant (is "wikki")`],
  ['an effect that there is not', () => withTenant({ policies: [{ id: 'p', effect: 'permit', applications: 'all' }] }), `${FILE}: directory.tenants[0].policies[0].effect: must be "allow", "deny" or "step-up" (is "permit")`],
  ['a user who could be several', () => withWiki({ assigned: { users: ['user-owner'] } }), `${FILE}: directory.applications[0].assigned.users[0]: could mean more than one user: write "upn:…" (the name that the issuer assigns to them) or "sub:…" (their subject at the issuer) (is "user-owner", ${WIKI})`],
  ['many mistakes in many places', () => ({ ...withWiki({ hostHeader: 'externl', responseHeadMs: -1, cors: { origins: ['portal'] } }), users: { prt: 1 } }),
    `${FILE}: users.prt: is not known here; "port" was probably meant`,
    `${FILE}: directory.applications[0].hostHeader: must be "internal" or "external"; "external" was probably meant (is "externl", ${WIKI})`,
    `${FILE}: directory.applications[0].responseHeadMs: must be at least 1 (is -1, ${WIKI})`,
    `${FILE}: directory.applications[0].cors.origins[0]: must be an origin, such as "https://host.example" (is "portal", ${WIKI})`],
])('its file: %s', async (_, written, ...lines) =>
  expectLines('app-proxy cloud run', await run(written()), lines),
)

// prettier-ignore
test.each<[what: string, written: () => unknown, ...lines: string[]]>([
  ['a port for health that is taken', () => ({ ...good(), health: { port: takenPort() } }), `${FILE}: health.port: is in use by another process (is PORT)`],
  ['a port in use', () => withUsers({ port: takenPort() }), `${FILE}: users.port: is in use by another process (is PORT)`],
  ['an address of another machine', () => ({ ...good(), connectors: { port: 0, host: '192.0.2.1' } }), `${FILE}: connectors.host: is no address of this machine (is "192.0.2.1")`],
  ['a certificate that is not there', () => withTls('none.pem', 'key.pem'), `${FILE}: users.tls.certFile: there is no such file (is "DIR/none.pem")`],
  ['neither certificate nor key', () => withTls('text.pem', 'text.pem'), `${FILE}: users.tls.certFile: holds no certificate (is "DIR/text.pem")`, `${FILE}: users.tls.keyFile: holds no private key in PEM (is "DIR/text.pem")`],
  ['the key of another certificate', () => withTls('cert.pem', 'other-key.pem'), `${FILE}: users.tls.keyFile: is not the key of the certificate in certFile (is "DIR/other-key.pem")`],
  ['a certificate that has ended', () => withTls('old.pem', 'old-key.pem'), `${FILE}: users.tls.certFile: the certificate expired on 2020-03-31 (is "DIR/old.pem")`],
  ['a key that others can read', () => withTls('cert.pem', 'open-key.pem'), `${FILE}: users.tls.keyFile: holds a secret: only its owner may have rights to it (its mode is 0644: chmod 600) (is "DIR/open-key.pem")`],
  ['a state directory that others can enter', () => withState('open-state'), `${FILE}: stateDir: holds secrets: only its owner may have rights to it (its mode is 0755: chmod 700) (is "DIR/open-state")`],
  ['a file for a state directory', () => withState('cert.pem'), `${FILE}: stateDir: cannot be made (EEXIST) (is "DIR/cert.pem")`],
  ['a state directory below a file', () => withState('cert.pem/state'), `${FILE}: stateDir: cannot be made (ENOTDIR) (is "DIR/cert.pem/state")`],
  ['a damaged authority', () => withState('damaged'), 'DIR/damaged/connector-authority.pem: is not a key and a certificate in PEM'],
  ['a damaged registry', () => withState('no-registry'), 'DIR/no-registry/registry.lmdb: is not a sound LMDB file (it is cut off): stop every process that uses it, and restore it from a backup or move it away'],
  ['keys of assertions that others can read', () => ({ ...good(), assertions: { keysFile: folder.at('open-key.pem') } }), 'DIR/open-key.pem: holds a secret: only its owner may have rights to it (its mode is 0644: chmod 600)'],
  ['another certificate for the admin API', () => withAdmin({ port: 0, tls: { certFile: folder.at('cert.pem'), keyFile: folder.at('other-key.pem') } }), `${FILE}: admin.tls.keyFile: is not the key of the certificate in certFile (is "DIR/other-key.pem")`],
  ['something in the place of the socket', () => ({ ...withState('no-socket'), admin: {} }), 'DIR/no-socket/admin.sock: is there already, and is no socket: move it away'],
  ['a damaged local token', () => ({ ...withState('no-token'), admin: { port: 0 } }), 'DIR/no-token/admin-token: holds no local token: remove it, and one is made'],
  ['a damaged key ring', () => withState('no-ring'), 'DIR/no-ring/key-ring.json: is not a key ring'],
])('what its file names: %s', async (_, written, ...lines) =>
  expectLines(
    'app-proxy cloud run',
    await run(written()),
    lines.map((line) => line.replace('PORT', String(takenPort()))),
  ),
)

test('as a process it says the same; where in the program only when it is asked', async () => {
  writeFileSync(folder.at('bad.json'), '{"stateDir": }', PRIVATE)
  const argv = ['--config', folder.at('bad.json')]
  const line = 'app-proxy cloud run: DIR/bad.json:1:14: a value is missing behind ":"'
  const ended = await asProcess('cloud run', argv)
  expect(ended).toEqual({ code: 3, stdout: '', stderr: `${line.replace('DIR', folder.path)}\n` })
  const verbose = await command([...argv, '--verbose'])
  expect(verbose).toMatchObject({ code: 3, lines: expect.arrayContaining([line]) })
  expect(verbose.lines.join('\n')).toMatch(/^ +at /m)
})
