import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { createCertificateAuthority, createServerAuthority } from '../../src/cloud/index.ts'
import { authorities } from '../../src/connector/node/application-connections.ts'
import { HttpsControlChannel } from '../../src/connector/node/index.ts'
import {
  readCertificate,
  readCertificates,
  readPrivateKey,
} from '../../src/runtime/certificates.ts'
import { serverCredentials } from '../../src/runtime/node/server-credentials.ts'
import { memoryAuthorityStore } from '../cloud/authority/memory-authority-store.ts'
import { startTrust } from '../cloud/trust.ts'

const servers = await createServerAuthority({ store: memoryAuthorityStore() })
const issued = await servers.issue()
const root = new Uint8Array(servers.certificate)
const leaf = new Uint8Array(new X509Certificate(issued.certificate).raw)
const octets = (text: string) => new TextEncoder().encode(text)
const invalid = (path: string) =>
  expect.objectContaining({ code: 'ERR_CONFIGURATION_INVALID', path })

test.each<[string, Parameters<typeof readCertificates>[0], Uint8Array[]]>([
  ['DER', root, [root]],
  ['DER in a Buffer', Buffer.from(root), [root]],
  ['PEM', issued.ca, [root]],
  ['PEM as octets', octets(issued.ca), [root]],
  [
    'PEM with a mark before it and lines of Windows',
    `\ufeff${issued.ca.replaceAll('\n', '\r\n')}`,
    [root],
  ],
  ['PEM by its old label', issued.ca.replaceAll(' CERTIFICATE', ' X509 CERTIFICATE'), [root]],
  [
    'a chain in PEM, with words between',
    `of us\n${issued.certificate}\nroot\n${issued.ca}`,
    [leaf, root],
  ],
  ['a list of both', [leaf, issued.ca], [leaf, root]],
  ['an empty list', [], []],
])('certificates are read from %s', (_, given, found) => {
  expect(readCertificates(given, 'ca')).toEqual(found)
})

test.each<[string, unknown]>([
  ['nothing', ''],
  ['no octets', new Uint8Array()],
  ['words', 'the certificate'],
  ['a name of a file', '/etc/ca.pem'],
  ['a private key', issued.key],
  ['octets of chance', randomBytes(64)],
  ['DER that breaks off', root.subarray(0, -1)],
  ['DER with something behind it', new Uint8Array([...root, 0])],
  ['a sequence that is no certificate', Uint8Array.of(0x30, 3, 2, 1, 1)],
  ['PEM that breaks off', issued.ca.slice(0, -40)],
  ['PEM without its middle', issued.ca.replace(/\n.{64}\n/, '\n')],
  ['PEM that is no base64', '-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n'],
  ['a number', 7],
  ['null', null],
])('%s is refused with a typed error, that quotes nothing of it', (_, given) => {
  const read = () => readCertificates(given as string, 'connectors.ca')
  expect(read).toThrow(invalid('connectors.ca'))
  try {
    read()
  } catch (error) {
    expect((error as Error).message.length).toBeLessThan(120)
  }
  expect(() => readCertificates([issued.ca, given as string], 'ca')).toThrow(invalid('ca[1]'))
})

test('where one is meant, several are refused', () => {
  expect(readCertificate(issued.ca, 'root')).toEqual(root)
  expect(() => readCertificate(issued.certificate + issued.ca, 'root')).toThrow(invalid('root'))
})

test('keys are read from PEM and DER, and nothing of one is in an error', () => {
  const der = readPrivateKey(issued.key, 'key')
  expect(readPrivateKey(der, 'key')).toEqual(der)
  expect(readPrivateKey(octets(issued.key), 'key')).toEqual(der)
  expect(() => readPrivateKey(issued.ca, 'key')).toThrow(invalid('key'))
})

test('a server is made from PEM or DER, and from a key that fits', () => {
  const der = readPrivateKey(issued.key, 'key')
  const expected = serverCredentials({ key: issued.key, cert: issued.certificate })
  for (const key of [der, octets(issued.key)])
    for (const cert of [leaf, [leaf], octets(issued.certificate)])
      expect(serverCredentials({ key, cert })).toEqual(expected)
  expect(serverCredentials({ key: der, cert: [leaf, root] }).cert.match(/BEGIN/g)).toHaveLength(2)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const other = privateKey.export({ type: 'sec1', format: 'pem' }).toString()
  expect(() => serverCredentials({ key: other, cert: leaf }, 'tls')).toThrow(invalid('tls.key'))
  expect(() => serverCredentials({ key: 'none', cert: leaf })).toThrow(invalid('key'))
  expect(() => serverCredentials({ key: der, cert: issued.key }, 'tls')).toThrow(
    invalid('tls.cert'),
  )
})

test('wherever a certificate is taken, both forms are', async () => {
  const store = memoryAuthorityStore()
  const made = await createCertificateAuthority({ store })
  const { key, certificate } = store.stored!
  const armour = (label: string, of: Uint8Array) =>
    `-----BEGIN ${label}-----\n${Buffer.from(of).toString('base64')}\n-----END ${label}-----\n`
  const inPem = {
    key: armour('PRIVATE KEY', key),
    certificate: armour('CERTIFICATE', certificate),
  }
  const opened = await createCertificateAuthority({
    store: { load: async () => inPem, save: async () => undefined },
  })
  expect(opened.certificate).toEqual(made.certificate)
  const url = 'https://127.0.0.1:1'
  for (const ca of [issued.ca, root, [root]]) {
    expect(authorities(ca).ca?.at(-1)).toContain('BEGIN CERTIFICATE')
    await new HttpsControlChannel({ url, ca }).close()
    const trust = await startTrust({}, { cloudAuthorities: ca })
    await trust.issuer.close()
  }
  for (const ca of ['none', [root, 'none']]) {
    expect(() => authorities(ca)).toThrow(invalid(Array.isArray(ca) ? 'ca[1]' : 'ca'))
    expect(() => new HttpsControlChannel({ url, ca })).toThrow(/^ca/)
    await expect(startTrust({}, { cloudAuthorities: ca })).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION_INVALID',
    })
  }
})
