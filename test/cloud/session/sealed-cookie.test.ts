import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { base64url, CompactEncrypt } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { KeyRing } from '../../../src/cloud/session/key-ring.ts'
import {
  MAX_SEALED_CHARACTERS,
  seal,
  unseal,
  type SealScope,
} from '../../../src/cloud/session/sealed-cookie.ts'
import { crypto, PROVIDERS, useProvider } from '../trust.ts'

describe.each(PROVIDERS)('over %s', (_, provider) => {
  beforeAll(() => useProvider(provider))
  const scope: SealScope = {
    purpose: 'session',
    tenantId: 'contoso',
    applicationId: 'intranet',
    host: 'intranet.example',
  }
  const VALUE = { user: 'Ælice', n: 1 }

  let ring: KeyRing
  let sealed: string
  beforeAll(async () => {
    ring = await KeyRing.open({ crypto, wallClock: () => 0 })
    sealed = await seal(ring, scope, VALUE)
  })

  describe('a sealed cookie', () => {
    test('opens where it was sealed', async () => {
      expect(await unseal(ring, scope, sealed)).toEqual(VALUE)
    })

    test('shows nothing of what it holds, and is a cookie value', () => {
      expect(sealed).toMatch(/^[\w.-]+$/)
      for (const part of sealed.split('.'))
        expect(Buffer.from(part, 'base64url').toString('latin1')).not.toContain('user')
    })

    test.each<[keyof SealScope, string]>([
      ['purpose', 'attempt'],
      ['tenantId', 'fabrikam'],
      ['applicationId', 'wiki'],
      ['host', 'intranet.example:8443'],
    ])('does not open for another %s', async (part, other) => {
      expect(await unseal(ring, { ...scope, [part]: other }, sealed)).toBeUndefined()
    })

    test('does not open when any of its octets is changed', async () => {
      const [header, key, nonce, text, tag] = sealed.split('.') as [
        string,
        string,
        string,
        string,
        string,
      ]
      const flip = (part: string) => {
        const octets = base64url.decode(part)
        octets[octets.length >> 1]! ^= 1
        return base64url.encode(octets)
      }
      for (const changed of [
        [flip(header), key, nonce, text, tag],
        [header, 'AAAA', nonce, text, tag],
        [header, key, flip(nonce), text, tag],
        [header, key, nonce, flip(text), tag],
        [header, key, nonce, text, flip(tag)],
        [header, key, nonce, text, tag.slice(0, 16)],
        [header, key, nonce, text],
      ])
        expect(await unseal(ring, scope, changed.join('.'))).toBeUndefined()
    })

    test('opens after a rotation, until its key is dropped', async () => {
      const rotating = await KeyRing.open({ crypto, wallClock: () => 0, keep: 2 })
      const old = await seal(rotating, scope, VALUE)
      await rotating.rotate()
      expect(await unseal(rotating, scope, old)).toEqual(VALUE)
      await rotating.rotate()
      expect(await unseal(rotating, scope, old)).toBeUndefined()
    })

    test('of another ring does not open', async () => {
      expect(
        await unseal(await KeyRing.open({ crypto, wallClock: () => 0 }), scope, sealed),
      ).toBeUndefined()
    })

    test('with anything unusual in its header does not open', async () => {
      const use = ['app-proxy cookie 1', 'session', 'contoso', 'intranet', 'intranet.example']
      const key = await ring.derive(ring.newest, use)
      const text = new TextEncoder().encode(JSON.stringify(VALUE))
      const make = (header: object) =>
        new CompactEncrypt(text)
          .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: ring.newest, ...header })
          .encrypt(key)
      expect(await unseal(ring, scope, await make({}))).toEqual(VALUE)
      for (const header of [{ typ: 'JWT' }, { jku: 'https://evil.example' }, { kid: 'other' }])
        expect(await unseal(ring, scope, await make(header))).toBeUndefined()
    })

    test.each([
      '',
      '.',
      '....',
      'a.b.c.d.e',
      '.'.repeat(4000),
      'A'.repeat(MAX_SEALED_CHARACTERS + 1),
    ])('is not what %s is', async (rubbish) => {
      expect(await unseal(ring, scope, rubbish)).toBeUndefined()
    })
  })

  describe('T13 any cookie', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 12 })
    const scopes: fc.Arbitrary<SealScope> = fc.record({
      purpose: fc.constantFrom('session', 'attempt'),
      tenantId: text,
      applicationId: text,
      host: text,
    })
    const values = fc.dictionary(
      text.filter((key) => key !== '__proto__'),
      fc.jsonValue({ maxDepth: 2, noUnicodeString: false }),
      { noNullPrototype: true, maxKeys: 5 },
    )
    const asJson = (value: object) => JSON.parse(JSON.stringify(value)) as unknown

    test('opens where it was sealed, as it was, and nowhere else', () =>
      fc.assert(
        fc.asyncProperty(scopes, scopes, values, async (here, there, value) => {
          const cookie = await seal(ring, here, value)
          expect(await unseal(ring, here, cookie)).toEqual(asJson(value))
          if (!isDeepStrictEqual(here, there))
            expect(await unseal(ring, there, cookie)).toBeUndefined()
        }),
      ))

    // The parts of a scope do not run into one another.
    test('knows where one part of its place ends and the next begins', () =>
      fc.assert(
        fc.asyncProperty(text, text, text, async (a, b, c) => {
          const cookie = await seal(ring, { ...scope, tenantId: a + b, applicationId: c }, VALUE)
          const other = { ...scope, tenantId: a, applicationId: b + c }
          expect(await unseal(ring, other, cookie)).toEqual(b === '' ? VALUE : undefined)
        }),
      ))

    test('that is changed in any way is no cookie; nothing makes another of it', () =>
      fc.assert(
        fc.asyncProperty(
          fc.nat(),
          fc.nat(3),
          fc.oneof(
            fc.constantFrom('.', 'A', '=', '%00', '_', '\u0100'),
            fc.string({ maxLength: 8 }),
          ),
          async (where, without, instead) => {
            const at = where % (sealed.length + 1)
            const changed = sealed.slice(0, at) + instead + sealed.slice(at + without)
            const opened = await unseal(ring, scope, changed)
            expect(opened).toEqual(changed === sealed ? VALUE : undefined)
          },
        ),
        { numRuns: 500 },
      ))

    test('has one spelling: neither padding nor stray bits are read past', async () => {
      const last = sealed.length - 1
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      // A tag of 16 octets leaves four bits of its last character over.
      const others = [...alphabet].filter((character) => character !== sealed[last])
      const spellings = others.map((character) => sealed.slice(0, last) + character)
      for (const one of [...spellings, `${sealed}=`, `${sealed}==`, ` ${sealed}`, `${sealed}\n`])
        expect(await unseal(ring, scope, one)).toBeUndefined()
    })

    test('that anybody makes up is no cookie', () =>
      fc.assert(
        fc.asyncProperty(
          fc.oneof(
            fc.string({ unit: 'binary', maxLength: 200 }),
            fc
              .array(fc.base64String({ maxLength: 40 }), { minLength: 5, maxLength: 5 })
              .map((all) => {
                const [header] = sealed.split('.')
                return [header, ...all.slice(1)].join('.').replaceAll(/[+/=]/g, '')
              }),
          ),
          async (made) => {
            expect(await unseal(ring, scope, made)).toBeUndefined()
          },
        ),
      ))
  })
})
