import { beforeAll, describe, expect, test } from 'vitest'
import { readCertificateRequest } from '../../../src/cloud/authority/certificate-request.ts'
import * as x509 from '../../../src/runtime/x509.ts'
import { crypto, newKeys, requestFor, spkiOf, PROVIDERS, useProvider } from '../trust.ts'

describe.each(PROVIDERS)('over %s', (_, provider) => {
  beforeAll(() => useProvider(provider))
  const read = (der: Uint8Array) => readCertificateRequest(der, crypto)
  const refused = (reason: string) => expect.objectContaining({ code: 'ERR_REFUSED', reason })

  test('an honest request yields its key, and nothing to ignore', async () => {
    const keys = await newKeys()
    const { publicKey, keyId, ignored } = await read(await requestFor(keys))
    expect(publicKey).toEqual(await spkiOf(keys))
    expect(keyId).toMatch(/^[0-9a-f]{64}$/)
    expect(ignored).toEqual([])
  })

  test('every wish beyond the key is listed', async () => {
    const request = await requestFor(await newKeys(), {
      name: 'CN=admin, O=Other',
      attributes: [new x509.ChallengePasswordAttribute('hunter2')],
      extensions: [
        new x509.BasicConstraintsExtension(true, 3, true),
        new x509.SubjectAlternativeNameExtension([
          { type: 'url', value: 'urn:app-proxy:tenant:other:connector:c' },
          { type: 'dns', value: 'evil.example' },
        ]),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, '2.5.29.37.0']),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign),
        new x509.Extension('1.3.6.1.4.1.311.20.2', false, new Uint8Array([5, 0])),
      ],
    })
    const { ignored } = await read(request)
    expect(ignored).toEqual([
      'subject CN=admin, O=Other',
      'challengePassword',
      'basicConstraints CA:true',
      'subjectAltName url:urn:app-proxy:tenant:other:connector:c, dns:evil.example',
      'extendedKeyUsage serverAuth, 2.5.29.37.0',
      'keyUsage keyCertSign, cRLSign',
      'extension 1.3.6.1.4.1.311.20.2',
    ])
    expect(ignored.join()).not.toContain('hunter2')
  })

  test('a wish is one printable line of bounded length', async () => {
    const name = [{ CN: [`line\r\nforged: entry\u001b[31m ${'x'.repeat(1000)}`] }]
    const { ignored } = await read(await requestFor(await newKeys(), { name }))
    expect(ignored).toHaveLength(1)
    expect(ignored[0]).toMatch(/^[\x20-\x7e\ufffd]{1,200}$/)
  })

  test('a request that is not signed with its own key proves nothing', async () => {
    const [keys, others] = [await newKeys(), await newKeys()]
    const request = await requestFor({ publicKey: keys.publicKey, privateKey: others.privateKey })
    await expect(read(request)).rejects.toEqual(refused('request-signature'))
  })

  test('a request with a weak signature proves nothing', async () => {
    const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-1' }
    const request = await requestFor(await newKeys(), { signingAlgorithm })
    await expect(read(request)).rejects.toEqual(refused('request-signature'))
  })

  test('a request whose signature was changed proves nothing', async () => {
    const request = await requestFor(await newKeys())
    request[request.length - 1]! ^= 1
    await expect(read(request)).rejects.toEqual(refused('request-signature'))
  })

  test.each([
    ['P-384', { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' }],
    [
      'RSA',
      {
        name: 'RSASSA-PKCS1-v1_5',
        hash: 'SHA-256',
        modulusLength: 2048,
        publicExponent: new Uint8Array([1, 0, 1]),
      },
    ],
  ])('a key that is %s is refused', async (_, algorithm) => {
    const keys = (await crypto.subtle.generateKey(algorithm as EcKeyGenParams, true, [
      'sign',
      'verify',
    ])) as CryptoKeyPair
    const request = await requestFor(keys, { signingAlgorithm: algorithm })
    await expect(read(request)).rejects.toEqual(refused('request-key'))
  })

  test('a point that is not on the curve proves nothing', async () => {
    const keys = await newKeys()
    const request = await requestFor(keys)
    const spki = await spkiOf(keys)
    const at = Buffer.from(request).indexOf(Buffer.from(spki))
    request.fill(0xff, at + spki.length - 32, at + spki.length)
    await expect(read(request)).rejects.toEqual(refused('request-signature'))
  })

  test('what is not one PKCS#10 request and nothing more is malformed', async () => {
    const request = await requestFor(await newKeys())
    const malformed = [
      new Uint8Array(0),
      new Uint8Array([0x30, 0x80]),
      crypto.getRandomValues(new Uint8Array(300)),
      new TextEncoder().encode('-----BEGIN CERTIFICATE REQUEST-----'),
      new Uint8Array([...request, 0]),
      request.subarray(0, request.length - 1),
      new Uint8Array(16 * 1024 + 1),
      // Nested far deeper than any request: it must not be followed.
      new Uint8Array(Array.from({ length: 8000 }, (_, i) => (i % 2 === 0 ? 0x30 : 0x80))),
    ]
    for (const der of malformed) {
      await expect(read(der), `${der.length} octets`).rejects.toEqual(refused('request-malformed'))
    }
  })

  test('no single changed octet makes a request speak for another key', async () => {
    const keys = await newKeys()
    const request = await requestFor(keys)
    const { keyId } = await read(request)
    for (let at = 0; at < request.length; at++) {
      const changed = request.slice()
      changed[at]! ^= 0x55
      const outcome = await read(changed).then(
        (key) => key.keyId,
        (error: { code: string }) => error.code,
      )
      expect([keyId, 'ERR_REFUSED'], `octet ${at}`).toContain(outcome)
    }
  })
})
