/** Every look-up by text that the cloud keeps between requests, and why its key is unique enough. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { tenantKey } from '../../src/cloud/index.ts'

const CLOUD = new URL('../../src/cloud/', import.meta.url)

const WHY: Readonly<Record<string, string>> = {
  'request/own-paths.ts #handlers': 'our own paths, the same for everybody',
  'issuer/issuers.ts #known': 'an issuer’s URL, which is one tenant’s',
  'issuer/key-set.ts #asked': 'a key id of one issuer’s set, whose look-ups alone it holds',
  'node/plain-exchanges.ts #byToken':
    '128 random bits; who answers must be the connector that pulled',
  'offers/plain-links.ts #links': 'the connector’s id, which the cloud drew, and a name of its own',
  'offers/connector-links.ts #counts': 'the connector’s id, which the cloud drew',
  'offers/origin.ts #entries': '128 random bits; tenant and group of who claims are compared',
  'policy/sign-in-risk.ts #failures':
    'tenant and subject, or an address: of all tenants on purpose',
  'policy/sign-in-risk.ts #users': 'tenant and subject',
  'session/session-revocations.ts #revoked':
    'a session’s random id; issuer and subject; an application’s id, where a hit only ends more',
  'sign-in/attempts.ts #used': 'an attempt’s random id',
  'session/renewals.ts #tried': 'a session’s random id',
  'sign-out/back-channel-logout.ts #taken': 'issuer and token id',
}

/** A field, and the line of comment above it, if there is one. */
const FIELD =
  /(?:\*\*? ?([^\n]*)\*\/\n)? +(?:readonly )?(#\w+)(?:: [^=\n]+)? = (?:new Map|slotMap)<(?:string|ExchangeId),/g

test('every key is known, and said to be unique enough', () => {
  const found = new Set<string>()
  for (const path of readdirSync(CLOUD, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts')) continue
    const source = readFileSync(new URL(path, CLOUD), 'utf8')
    for (const [, comment = '', field] of source.matchAll(FIELD)) {
      const name = `${path} ${field}`
      // A new one: key it by `tenantKey(tenantId, id)`, or say above it what its key is ("By …", "… → …").
      if (!(name in WHY)) expect(comment, name).toMatch(/^By |→/)
      found.add(name)
    }
  }
  expect([...found]).toEqual(expect.arrayContaining(Object.keys(WHY)))
})

test('no two pairs share a tenant’s key', () => {
  const parts = ['', 'a', 'b', 'a","b', '"', ',', '\\', 'a\0b', '[', 'ä']
  const keys = parts.flatMap((tenant) => parts.map((id) => tenantKey(tenant, id)))
  expect(new Set(keys).size).toBe(parts.length ** 2)
})
