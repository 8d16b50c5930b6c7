import { readFileSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SignOnFile, type SignOnFileEvent } from '../../../src/connector/node/index.ts'
import { ConfigurationInvalid, SignOnFailed } from '../../../src/protocol/internal.ts'
import { until } from '../../until.ts'
import { clientAuthority, serverCertificate, type Credentials } from './mutual-application.ts'

const CANARY = 'canary-8d21e0'
const WIKI = 'https://wiki.corp.example'
const { signal } = new AbortController()
const PRIVATE = { mode: 0o600 }

const EC = { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) }
/** Sets of one key each, by the name of their file. */
const KEYS = {
  first: { ...EC, kid: 'first' },
  second: { ...EC, kid: 'second' },
  private: { ...EC, kid: 'first', d: CANARY },
  rsa: { kty: 'RSA', kid: 'first', n: 'AQAB', e: 'AQAB' },
}

let directory: string
let path: string
let opened: SignOnFile | undefined
const events: SignOnFileEvent[] = []
let [alice, bob, old]: Credentials[] = []
let ca: string
beforeAll(async () => {
  const clients = await clientAuthority()
  ;[alice, bob] = await Promise.all([clients.issue('alice'), clients.issue('bob')])
  old = await clients.issue('old', -3_600_000)
  ca = (await serverCertificate()).ca
})
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  path = join(directory, 'sign-on.json')
  events.length = 0
  const files = { 'a.pem': alice, 'b.pem': bob, 'old.pem': old }
  for (const [name, credentials] of Object.entries(files)) {
    await writeFile(join(directory, name), credentials!.certificate)
    await writeFile(join(directory, name.replace('pem', 'key')), credentials!.key, PRIVATE)
  }
  await writeFile(join(directory, 'ca.pem'), ca)
  await writeFile(join(directory, 'open.key'), alice!.key, { mode: 0o644 })
  await writeFile(join(directory, 'text'), CANARY, PRIVATE)
  for (const [name, key] of Object.entries(KEYS))
    await writeFile(join(directory, `${name}.json`), JSON.stringify({ keys: [key] }))
})
afterEach(async () => {
  opened?.close()
  opened = undefined
  await rm(directory, { recursive: true, force: true })
})

const write = (content: unknown, to = path) =>
  writeFile(to, typeof content === 'string' ? content : JSON.stringify(content), PRIVATE)
/** As an editor does it. */
const replace = async (content: unknown) => {
  await write(content, `${path}.draft`)
  await rename(`${path}.draft`, path)
}
const open = async (content: unknown) => {
  await write(content)
  opened = await SignOnFile.open(path, { watchMs: 10, onEvent: (event) => events.push(event) })
  return opened
}
const bearer = (token: string, ...origins: string[]) => ({ form: 'bearer', token, origins })
const tokenAt = (file: SignOnFile, internalOrigin = WIKI) => {
  const wanted = { internalOrigin, name: undefined, application: 'wiki', user: undefined, signal }
  try {
    return (file.secretFor(wanted) as { token?: string } | undefined)?.token
  } catch (error) {
    return (error as SignOnFailed).reason
  }
}

test('an empty file allows nothing', async () => {
  const file = await open({})
  expect(tokenAt(file)).toBe('not-allowed-here')
  expect(file.applicationTls(WIKI)).toBeUndefined()
})

test('secrets and certificates, each by its place', async () => {
  const file = await open({
    secrets: [bearer('wiki', WIKI), bearer('others', 'https://*.corp.example')],
    applications: [
      {
        origin: WIKI,
        ca: 'ca.pem',
        clientCertificate: 'a.pem',
        clientKey: join(directory, 'a.key'),
      },
      { origin: 'https://*.corp.example:8443', ca: 'ca.pem' },
      { origin: 'https://10.0.0.1', serverName: 'inside.example' },
    ],
  })
  expect(tokenAt(file)).toBe('wiki')
  expect(tokenAt(file, 'https://crm.corp.example')).toBe('others')
  expect(tokenAt(file, 'https://evil.example')).toBe('not-allowed-here')
  const tls = file.applicationTls(WIKI)
  expect(Object.keys(tls!)).toEqual(['ca', 'clientCertificate', 'clientKey'])
  expect(file.applicationTls(WIKI)).toBe(tls)
  expect(Object.keys(file.applicationTls('https://crm.corp.example:8443')!)).toEqual(['ca'])
  expect(file.applicationTls('https://10.0.0.1')).toEqual({ serverName: 'inside.example' })
  for (const origin of ['https://crm.corp.example', `${WIKI}:8444`, 'https://10.0.0.2'])
    expect(file.applicationTls(origin)).toBeUndefined()
})

/** Each is told with its path, and nothing of a secret. */
// prettier-ignore
test.each<[what: string, content: unknown, ...lines: string[]]>([
  ['no JSON', `{ "secrets": [{ "token": "${CANARY}", }] }`, 'DIR/sign-on.json:1:43: a "," stands before the end: JSON has none there'],
  ['another section', { secret: [], kerberos: {} }, 'DIR/sign-on.json: secret: is not known here; "secrets" was probably meant', 'DIR/sign-on.json: kerberos: is not known here: there are secrets, applications, assertions'],
  ['no form', { secrets: [{ token: CANARY, origins: [WIKI] }] }, 'DIR/sign-on.json: secrets[0].form: is missing: must be "basic", "bearer" or "header"'],
  ['what belongs to another form', { secrets: [{ form: 'bearer', username: CANARY, token: 'x', origins: [WIKI] }] }, 'DIR/sign-on.json: secrets[0].username: has no meaning with "bearer"'],
  ['an application in the place of places', { secrets: [{ form: 'bearer', token: CANARY, application: 'wiki' }] },
    'DIR/sign-on.json: secrets[0].application: is not known here: there are form, name, origins, allowHttp, issuer, token, users',
    'DIR/sign-on.json: secrets[0].origins: is missing'],
  ['no place', { secrets: [bearer(CANARY)] }, 'DIR/sign-on.json: secrets[0].origins: must not be empty'],
  ['places that are none, of which one is a secret', { secrets: [bearer(CANARY, 'https://*', `https://me:${CANARY}@wiki.corp.example`)] },
    ...[0, 1].map((n) => `DIR/sign-on.json: secrets[0].origins[${n}]: must be an origin, "https://wiki.corp.example" or all below a host, "https://*.corp.example"`)],
  ['http', { secrets: [bearer(CANARY, 'http://wiki.corp.example')] }, 'DIR/sign-on.json: secrets[0].origins[0]: is http: a secret goes there only with "allowHttp": true'],
  ['a place twice', { secrets: [bearer(CANARY, WIKI), bearer(CANARY, `${WIKI}:443`)] }, 'DIR/sign-on.json: secrets[1].origins[0]: is a place of another secret of that name'],
  ['no value', { secrets: [{ form: 'basic', username: 'svc', origins: [WIKI] }, { form: 'header', header: 'X-Api-Key', origins: [WIKI], name: 'x' }] },
    'DIR/sign-on.json: secrets[0].password: is missing, or "users" is',
    'DIR/sign-on.json: secrets[1].value: is missing, or "users" is'],
  ['a value and those of users', { secrets: [{ ...bearer(CANARY, WIKI), users: { 'sub:1': { token: CANARY } } }] },
    'DIR/sign-on.json: secrets[0].token: cannot be combined with "users"',
    'DIR/sign-on.json: secrets[0].issuer: is missing: whose users are they?'],
  ['names of no kind', { secrets: [{ form: 'bearer', origins: [WIKI], issuer: 'https://i.example', users: { alice: { token: CANARY }, 'upn:a': { token: CANARY }, 'email:a@b': { token: 'a' }, 'email:A@B': { token: 'a' } } }] },
    'DIR/sign-on.json: secrets[0].users.alice: must be "sub:…" or "email:…" of a user, or "account:…" at the application',
    'DIR/sign-on.json: secrets[0].users.upn:a: must be "sub:…" or "email:…" of a user, or "account:…" at the application',
    'DIR/sign-on.json: secrets[0].users.email:A@B: is another spelling of one before'],
  ['accounts that are none, or nobody’s', { secrets: [{ form: 'bearer', origins: [WIKI], issuer: 'https://i.example', users: { 'account:a b': { token: 'a' }, 'account:Administrator': { token: 'a' } } }] },
    'DIR/sign-on.json: secrets[0].users.account:a b: is no name of an account',
    'DIR/sign-on.json: secrets[0].users.account:Administrator: nobody may be signed on to this account'],
  ['what no header carries', { secrets: [bearer(`${CANARY}\r\nX: y`, WIKI), { form: 'basic', username: `a:${CANARY}`, password: CANARY, origins: [WIKI], name: 'a' }, { form: 'header', header: 'Cookie', value: CANARY, origins: [WIKI], name: 'b' }] },
    'DIR/sign-on.json: secrets[0].token: must have letters, digits, "-", ".", "_", "~", "+" and "/" only, "=" at its end',
    'DIR/sign-on.json: secrets[1].username: must have neither a colon nor control characters',
    'DIR/sign-on.json: secrets[2].header: has a meaning already: a secret cannot stand there'],
  ['what no header carries, of a user', { secrets: [{ form: 'bearer', origins: [WIKI], issuer: 'i', users: { 'sub:1': { token: `${CANARY} x` } } }] },
    'DIR/sign-on.json: secrets[0].users.sub:1.token: must have letters, digits, "-", ".", "_", "~", "+" and "/" only, "=" at its end'],
  ['a number for a password', { secrets: [{ form: 'basic', username: 'a', password: 8210, origins: [WIKI] }] }, 'DIR/sign-on.json: secrets[0].password: must be a string, not a number'],
  ['files that are not there, or something else', { applications: [
    { origin: WIKI, ca: 'none.pem', clientCertificate: 'text', clientKey: 'none.key' },
    { origin: `${WIKI}:1`, ca: '.', clientCertificate: 'a.pem', clientKey: 'b.key' },
    { origin: `${WIKI}:2`, clientCertificate: 'a.key', clientKey: 'text' },
    { origin: `${WIKI}:3`, clientCertificate: 'a.pem', clientKey: 'text' },
    { origin: `${WIKI}:4`, clientCertificate: 'a.pem', clientKey: 'open.key' },
    { origin: `${WIKI}:5`, clientCertificate: 'old.pem', clientKey: 'old.key' }] },
    'DIR/sign-on.json: applications[0].ca: there is no such file (is "none.pem")',
    'DIR/sign-on.json: applications[0].clientCertificate: is neither a certificate in PEM nor one in DER (is "text")',
    'DIR/sign-on.json: applications[0].clientKey: there is no such file (is "none.key")',
    'DIR/sign-on.json: applications[1].ca: is not a file (is ".")',
    'DIR/sign-on.json: applications[1].clientKey: is not the key of the certificate (is "b.key")',
    'DIR/sign-on.json: applications[2].clientCertificate: is neither a certificate in PEM nor one in DER: it is a private key (is "a.key")',
    'DIR/sign-on.json: applications[3].clientKey: is no private key in PEM or DER that is not encrypted (is "text")',
    'DIR/sign-on.json: applications[4].clientKey: holds a secret: only its owner may have rights to it (its mode is 0644: chmod 600) (is "open.key")',
    expect.stringMatching(/^DIR\/sign-on\.json: applications\[5\]\.clientCertificate: the certificate expired on .* \(is "old\.pem"\)$/) as unknown as string],
  ['settings that need each other', { applications: [
    { origin: WIKI }, { origin: `${WIKI}:1`, clientKey: 'a.key' }, { origin: `${WIKI}:2`, clientCertificate: 'a.pem' },
    { origin: 'http://a.example', ca: 'ca.pem' }, { origin: 'https://*.a.example', serverName: 'b' }, { origin: `${WIKI}:443`, ca: 'ca.pem' },
    { origin: `${WIKI}:6`, serverName: '10.0.0.1' }] },
    'DIR/sign-on.json: applications[0]: says nothing: "ca", "clientCertificate" or "serverName" is missing',
    'DIR/sign-on.json: applications[1]: says nothing: "ca", "clientCertificate" or "serverName" is missing',
    'DIR/sign-on.json: applications[1].clientCertificate: is missing: there is a "clientKey"',
    'DIR/sign-on.json: applications[2].clientKey: is missing: there is a "clientCertificate"',
    'DIR/sign-on.json: applications[3].origin: must be an origin of https, "https://wiki.corp.example" or all below a host, "https://*.corp.example" (is "http://a.example")',
    'DIR/sign-on.json: applications[4].serverName: is one application’s, and "origin" is that of several (is "b")',
    'DIR/sign-on.json: applications[5].origin: is that of one before (is "https://wiki.corp.example:443")',
    'DIR/sign-on.json: applications[6].serverName: must be the name of a server (is "10.0.0.1")'],
  ['assertions of nobody', { assertions: {} }, 'DIR/sign-on.json: assertions.keysFile: is missing'],
  ['the keys that sign, in the place of the public ones', { assertions: { keysFile: 'private.json' } },
    'DIR/sign-on.json: assertions.keysFile: holds private keys, which belong to the cloud alone: give it the public ones (is "private.json")'],
  ['no keys of assertions', { assertions: { keysFile: 'text' } }, 'DIR/sign-on.json: assertions.keysFile: holds no set of keys: it is the one that the cloud wrote (is "text")'],
  ['keys of another kind', { assertions: { keysFile: 'rsa.json' } },
    'DIR/sign-on.json: assertions.keysFile: holds no key of P-256 that has a name (is "rsa.json")'],
  ['a key in the place of its file', { applications: [{ origin: WIKI, clientCertificate: 'a.pem', clientKey: `-----BEGIN PRIVATE KEY-----${CANARY}` }] },
    'DIR/sign-on.json: applications[0].clientKey: there is no such file'],
])('with %s nothing starts', async (_, content, ...lines) => {
  const error = (await open(content).catch((thrown: unknown) => thrown)) as Error
  expect(error).toBeInstanceOf(ConfigurationInvalid)
  const told = error.message.replaceAll(directory, 'DIR').split('\n')
  expect(told.length > 1 ? told.slice(1) : told).toEqual(lines)
  expect(error.message + JSON.stringify(error)).not.toContain(CANARY)
})

test.each([0o640, 0o604, 0o620, 0o644])('a file of mode %o is not read', async (mode) => {
  await write({ secrets: [bearer(CANARY, WIKI)] })
  await chmod(path, mode)
  await expect(SignOnFile.open(path)).rejects.toThrow(/only its owner may have rights to it/)
})

test('keys of assertions that anybody may write are not taken', async () => {
  await chmod(join(directory, 'first.json'), 0o646)
  await expect(open({ assertions: { keysFile: 'first.json' } })).rejects.toThrow(/chmod o-w/)
})

test('a file that is not there is told', async () => {
  await expect(SignOnFile.open(path)).rejects.toThrow(/there is no such file/)
})

test.each(['inject', 'client-certificate'])('the file in the guide %s is taken', async (name) => {
  const guide = new URL(`../../../docs/single-sign-on/${name}.md`, import.meta.url)
  const examples = [...readFileSync(guide, 'utf8').matchAll(/```json\n([^]*?)```/g)]
  const [, json] = examples.find(([, text]) => text!.includes('"origin'))!
  for (const ca of ['wiki-ca.pem', 'reports-ca.pem'])
    await copyFile(join(directory, 'ca.pem'), join(directory, ca))
  await copyFile(join(directory, 'a.pem'), join(directory, 'gateway.pem'))
  await copyFile(join(directory, 'a.key'), join(directory, 'gateway.key'))
  const file = await open(json)
  if (name === 'inject') expect(tokenAt(file)).toBeUndefined()
  else expect(file.applicationTls(WIKI)?.clientKey).toBeTypeOf('string')
})

describe('a file that is changed', () => {
  const states = () => events.map(({ state }) => state)

  test('is taken up, and told of once', async () => {
    const file = await open({ secrets: [bearer('one', WIKI)] })
    expect(tokenAt(file)).toBe('one')
    await replace({ secrets: [bearer('two', WIKI)] })
    await until(() => tokenAt(file) === 'two')
    await replace({})
    await until(() => tokenAt(file) === 'not-allowed-here')
    await until(() => events.length === 2)
    expect(states()).toEqual(['taken', 'taken'])
  })

  test('and is wrong keeps what was, as a whole', async () => {
    const file = await open({ secrets: [bearer('one', WIKI)] })
    await replace({ secrets: [bearer('two', WIKI), bearer(`${CANARY} x`, 'https://b.example')] })
    await until(() => events.length === 1)
    expect(events[0]).toMatchObject({
      state: 'refused',
      error: { code: 'ERR_CONFIGURATION_INVALID' },
    })
    expect(JSON.stringify(events) + String((events[0] as { error: unknown }).error)).not.toContain(
      CANARY,
    )
    expect(tokenAt(file)).toBe('one')
    await chmod(path, 0o644)
    await until(() => events.length === 2)
    await rm(path)
    await until(() => events.length === 3)
    expect(tokenAt(file)).toBe('one')
    await replace({ secrets: [bearer('three', WIKI)] })
    await until(() => tokenAt(file) === 'three')
    expect(states()).toEqual(['refused', 'refused', 'refused', 'taken'])
  })

  test('back to what it was is told as well', async () => {
    const before = { secrets: [bearer('one', WIKI)] }
    const file = await open(before)
    await replace('{')
    await until(() => events.length === 1)
    await replace(before)
    await until(() => events.length === 2)
    expect([states(), tokenAt(file)]).toEqual([['refused', 'taken'], 'one'])
  })

  test('is taken up where links lead elsewhere, as containers have it', async () => {
    const version = async (name: string, token: string) => {
      await mkdir(join(directory, name))
      await write({ secrets: [bearer(token, WIKI)] }, join(directory, name, 'sign-on.json'))
      await symlink(name, join(directory, '..data.new'))
      await rename(join(directory, '..data.new'), join(directory, '..data'))
    }
    await version('..1', 'one')
    await symlink('..data/sign-on.json', path)
    opened = await SignOnFile.open(path, { watchMs: 10 })
    expect(tokenAt(opened)).toBe('one')
    await version('..2', 'two')
    await until(() => tokenAt(opened!) === 'two')
  })

  test('in a certificate that it names; the two halves of a pair may come one after the other', async () => {
    const applications = [
      { origin: WIKI, clientCertificate: 'a.pem', clientKey: 'a.key' },
      { origin: 'https://crm.corp.example', ca: 'ca.pem' },
    ]
    const file = await open({ applications })
    const [tls, other] = [
      file.applicationTls(WIKI),
      file.applicationTls('https://crm.corp.example'),
    ]
    await writeFile(join(directory, 'a.pem'), bob!.certificate)
    await until(() => events.length === 1)
    expect(states()).toEqual(['refused'])
    expect(file.applicationTls(WIKI)).toBe(tls)
    await write(bob!.key, join(directory, 'a.key'))
    await until(() => file.applicationTls(WIKI) !== tls)
    expect(file.applicationTls(WIKI)!.clientKey).toContain('PRIVATE KEY')
    expect(file.applicationTls('https://crm.corp.example')).toBe(other)
  })

  test('to one that is not there yet is taken up when it comes', async () => {
    const file = await open({})
    await replace({ applications: [{ origin: WIKI, ca: 'later.pem' }] })
    await until(() => events.length === 1)
    // Whole at once: half a file is another mistake.
    await writeFile(join(directory, 'draft.pem'), ca)
    await rename(join(directory, 'draft.pem'), join(directory, 'later.pem'))
    await until(() => file.applicationTls(WIKI) !== undefined)
    expect(states()).toEqual(['refused', 'taken'])
  })

  test('in the keys of assertions that it names, and in who signs with them', async () => {
    const file = await open({ assertions: { keysFile: 'first.json', issuer: 'https://one/' } })
    const { keys } = file.assertions!
    const kids = () => file.assertions!.keys.keys.map(({ kid }) => kid)
    expect([kids(), file.assertions!.issuer]).toEqual([['first'], 'https://one/'])
    await replace({ assertions: { keysFile: 'first.json' }, secrets: [bearer('one', WIKI)] })
    await until(() => file.assertions!.issuer === undefined)
    expect(file.assertions!.keys, 'keys that are the same stay imported').toBe(keys)
    await writeFile(join(directory, 'first.json'), JSON.stringify({ keys: [KEYS.second] }))
    await until(() => kids()[0] === 'second')
    await writeFile(join(directory, 'first.json'), '{')
    await until(() => events.at(-1)!.state === 'refused')
    expect(kids()).toEqual(['second'])
  })

  test('names keys of assertions, or none, as at the start of its connector', async () => {
    const file = await open({ assertions: { keysFile: 'first.json' } })
    await replace({})
    await until(() => events.length === 1)
    expect([states(), file.assertions!.keys.keys.length]).toEqual([['refused'], 1])
    file.close()
    events.length = 0
    const without = await open({})
    await replace({ assertions: { keysFile: 'first.json' } })
    await until(() => events.length === 1)
    expect([states(), without.assertions]).toEqual([['refused'], undefined])
  })

  test('is left alone after close', async () => {
    const file = await open({ secrets: [bearer('one', WIKI)] })
    file.close()
    await replace({})
    await new Promise((later) => setTimeout(later, 100))
    expect([tokenAt(file), states()]).toEqual(['one', []])
  })
})
