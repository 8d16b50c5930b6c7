/** Hosts with certificates of their own, on one listener: real TLS, HTTP/1.1 and HTTP/2. */
import { once } from 'node:events'
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { request as askHttp1, type IncomingMessage, type Server } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createServerAuthority, type ServerAuthority } from '../src/cloud/index.ts'
import {
  createUserListener,
  openCertificateDirectory,
  type CertificateDirectory,
  type CertificateFor,
} from '../src/cloud/node/index.ts'
import type { ServerCredentials } from '../src/cloud/node/index.ts'
import { ConfigurationInvalid } from '../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../test/cloud/authority/memory-authority-store.ts'
import { listen } from '../test/integration/listen.ts'
import { until } from '../test/until.ts'
import { publishedWorld, type PublishedWorld } from './published-world.ts'

let world: PublishedWorld
let authority: ServerAuthority
let path: string
let directory: CertificateDirectory
const mistakes: ConfigurationInvalid[] = []
/** With a directory alone; with a directory, and something for everybody else. */
let server: Server
let withUsual: Server
let ports: readonly [number, number]

const open = (id: string) => ({
  ...{ id, externalUrl: `https://${id}.example/`, preAuthentication: 'passthrough' },
})
const issue = async (
  ...dnsNames: string[]
): Promise<ServerCredentials & { readonly ca: string }> => {
  const { key, certificate, ca } = await authority.issue({ dnsNames })
  return { key, cert: certificate, ca }
}
let ca: string

/** Written beside it, then put in its place, as certificate clients do. */
async function write(name: string, { key, cert }: ServerCredentials): Promise<void> {
  for (const [extension, octets] of [
    ['key', key],
    ['crt', cert],
  ] as const) {
    await writeFile(join(path, `${name}.${extension}.new`), octets as string, { mode: 0o600 })
    await rename(join(path, `${name}.${extension}.new`), join(path, `${name}.${extension}`))
  }
}

beforeAll(async () => {
  world = await publishedWorld({
    applications: [open('wiki'), open('shop'), open('one.tenants'), open('unnamed')],
  })
  authority = await createServerAuthority({ store: memoryAuthorityStore() })
  path = await mkdtemp(join(tmpdir(), 'certificates-'))
  const wiki = await issue('wiki.example')
  ca = wiki.ca
  await write('wiki', wiki)
  await write('several', await issue('shop.example', '*.tenants.example'))
  const { shownCertificates } = world.cloud
  directory = await openCertificateDirectory(path, {
    ...{ everyMs: 20, shown: shownCertificates, onMistake: (one) => mistakes.push(one) },
  })
  const certificates = directory.certificateFor
  server = createUserListener(world.cloud.edge, { certificates })
  withUsual = createUserListener(world.cloud.edge, {
    certificates,
    tls: await issue('usual.example'),
  })
  ports = [await listen(server), await listen(withUsual)]
})
afterAll(async () => {
  directory.close()
  for (const one of [server, withUsual]) {
    one.closeAllConnections()
    one.close()
  }
  await world.close()
  await rm(path, { recursive: true })
})

/** A connection that asks for a name; `''`: for none. */
async function connected(servername: string, port = ports[0], protocol = 'http/1.1') {
  const socket = connect({
    ...{ host: '127.0.0.1', port, servername, ca, ALPNProtocols: [protocol] },
    checkServerIdentity: () => undefined,
  })
  await once(socket, 'secureConnect')
  return socket
}
/** The hosts that a connection was shown a certificate for. */
const namesOf = (socket: TLSSocket) =>
  socket.getPeerCertificate().subjectaltname!.replace(/, IP Address:.*/, '')

async function ask(servername: string, host: string, port = ports[0]) {
  const socket = await connected(servername, port)
  const call = askHttp1({ createConnection: () => socket, headers: { host } })
  call.end()
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  const body = await text(response)
  socket.destroy()
  return { status: response.statusCode!, body }
}

/** Several requests of one HTTP/2 connection. */
async function askAll(servername: string, hosts: readonly string[], port = ports[0]) {
  const socket = await connected(servername, port, 'h2')
  const session = connectHttp2(`https://${servername}`, { createConnection: () => socket })
  const statuses: number[] = []
  for (const host of hosts) {
    const stream = session.request({ ':path': '/', ':authority': host })
    const [head] = (await once(stream, 'response')) as [Record<string, number>]
    stream.resume()
    await once(stream, 'close')
    statuses.push(head[':status']!)
  }
  session.destroy()
  return statuses
}

describe('R7.3h', () => {
  test('R7.3h each host is shown its own certificate', async () => {
    for (const [name, names] of [
      ['wiki.example', 'DNS:wiki.example'],
      ['WIKI.example', 'DNS:wiki.example'],
      ['shop.example', 'DNS:shop.example, DNS:*.tenants.example'],
      ['one.tenants.example', 'DNS:shop.example, DNS:*.tenants.example'],
    ] as const) {
      const socket = await connected(name)
      expect(namesOf(socket)).toBe(names)
      socket.destroy()
    }
  })

  test('R7.3h and serves its application, by HTTP/1.1 and by HTTP/2', async () => {
    expect(await ask('wiki.example', 'wiki.example')).toEqual({ status: 200, body: 'GET /' })
    expect((await ask('one.tenants.example', 'one.tenants.example')).status).toBe(200)
    expect(await askAll('shop.example', ['shop.example', 'one.tenants.example'])).toEqual([
      200, 200,
    ])
  })

  test('R7.3h a name that nothing is there for fails, or is shown what is for everybody', async () => {
    await expect(connected('unknown.example')).rejects.toThrow()
    await expect(connected('a.b.tenants.example')).rejects.toThrow()
    const socket = await connected('unknown.example', ports[1])
    expect(namesOf(socket)).toBe('DNS:usual.example')
    socket.destroy()
  })
})

describe('R7.3i what is asked for a host that the certificate does not cover is answered with 421', () => {
  test.each([
    ['wiki.example', 'shop.example'],
    ['one.tenants.example', 'wiki.example'],
    ['shop.example', 'unpublished.example'],
    ['wiki.example', 'not a host'],
  ])('R7.3i asked for %s, then %s', async (name, host) => {
    const { status, body } = await ask(name, host)
    expect([status, (JSON.parse(body) as { code: string }).code]).toEqual([421, 'misdirected'])
  })

  test('R7.3i over HTTP/2 for that request alone', async () => {
    const hosts = ['wiki.example', 'shop.example', 'wiki.example:443', 'wiki.example']
    expect(await askAll('wiki.example', hosts)).toEqual([200, 421, 200, 200])
  })

  test('R7.3i with what is shown to everybody as well, and not to whoever asked for no name', async () => {
    expect((await ask('unknown.example', 'wiki.example', ports[1])).status).toBe(421)
    expect((await ask('', 'wiki.example', ports[1])).status).toBe(200)
  })
})

describe('R7.3j', () => {
  const serialOf = async (name: string) => {
    const socket = await connected(name)
    const { serialNumber } = socket.getPeerCertificate()
    socket.destroy()
    return serialNumber
  }

  test('R7.3j a pair that is replaced is shown from then on, and nobody restarts', async () => {
    const before = await serialOf('wiki.example')
    const held = await connected('wiki.example')
    await write('wiki', await issue('wiki.example'))
    await until(async () => (await serialOf('wiki.example')) !== before)
    expect(held.getPeerCertificate().serialNumber).toBe(before)
    held.destroy()
  })

  test('R7.3j one that is added is there, one that is removed is not', async () => {
    await write('unnamed', await issue('unnamed.example'))
    await until(() => directory.names.includes('unnamed.example'))
    expect((await ask('unnamed.example', 'unnamed.example')).status).toBe(200)
    await rm(join(path, 'unnamed.crt'))
    await until(() => !directory.names.includes('unnamed.example'))
    await expect(connected('unnamed.example')).rejects.toThrow()
  })

  test('R7.3j one that cannot be used is told once, and what was there before stays', async () => {
    const before = await serialOf('wiki.example')
    const other = await issue('wiki.example')
    await writeFile(join(path, 'wiki.crt'), other.cert as string)
    // Half a file may have been read first.
    await until(() =>
      mistakes.some(({ message }) =>
        message.endsWith('wiki.key: is not the key of the certificate'),
      ),
    )
    const told = mistakes.length
    await directory.reload()
    await directory.reload()
    expect(mistakes.length).toBe(told)
    expect(await serialOf('wiki.example')).toBe(before)
    await write('wiki', other)
    await until(async () => (await serialOf('wiki.example')) !== before)
  })

  test('R7.3j a key that others may read is refused, and so is a certificate without one', async () => {
    const lax = await mkdtemp(join(tmpdir(), 'certificates-'))
    const { key, cert } = await issue('wiki.example')
    await writeFile(join(lax, 'wiki.crt'), cert as string)
    await expect(openCertificateDirectory(lax)).rejects.toThrow('is missing')
    await writeFile(join(lax, 'wiki.key'), key as string)
    await chmod(join(lax, 'wiki.key'), 0o644)
    await expect(openCertificateDirectory(lax)).rejects.toThrow('chmod 600')
    await rm(lax, { recursive: true })
    await expect(openCertificateDirectory(lax)).rejects.toThrow(ConfigurationInvalid)
  })

  test('R7.3j the operator sees when each ends', () => {
    const told = world.cloud.stats().certificates.filter(({ name }) => name.startsWith('users: '))
    expect(told.map(({ name }) => name).sort()).toEqual([
      'users: shop.example',
      'users: wiki.example',
    ])
    for (const { daysLeft } of told) expect(daysLeft).toBeGreaterThan(0)
  })
})

test('R7.3h a function of the embedder’s gives certificates; when it fails, that handshake does', async () => {
  const credentials = await issue('wiki.example')
  const asked: string[] = []
  const certificates: CertificateFor = async (name) => {
    asked.push(name)
    if (name === 'broken.example') throw new Error('no such name')
    return name === 'wiki.example' ? credentials : undefined
  }
  const own = createUserListener(world.cloud.edge, { certificates })
  const port = await listen(own)
  expect((await ask('Wiki.Example', 'wiki.example', port)).status).toBe(200)
  await expect(connected('broken.example', port)).rejects.toThrow()
  expect((await ask('wiki.example', 'wiki.example', port)).status).toBe(200)
  expect(asked).toEqual(['wiki.example', 'broken.example', 'wiki.example'])
  own.closeAllConnections()
  await new Promise((closed) => own.close(closed))
})
