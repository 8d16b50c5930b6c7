/** Whatever is wrong with a directory, its mistakes are told: never another error, and never a secret. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readDirectory } from '../../../src/cloud/directory/directory-configuration.ts'
import { ConfigurationInvalid } from '../../../src/protocol/wire/errors.ts'

const SECRET = 'never to be told'
const good = () => ({
  tenants: [
    {
      id: 'contoso',
      issuer: { url: 'https://id.example', claims: { groups: ['a', 'b'], upn: 'upn' } },
      registrars: { audience: 'cloud', roleClaim: 'realm.roles' },
      locations: [{ id: 'office', networks: ['10.0.0.0/8'] }],
      policies: [
        {
          id: 'in',
          effect: 'allow',
          applications: ['wiki'],
          when: { from: { locations: ['office'] } },
        },
        {
          id: 'out',
          effect: 'deny',
          applications: 'all',
          reason: 'No.',
          unless: [{ risk: ['low'] }],
        },
      ],
      session: { lifetime: { absoluteMs: 60_000, idleMs: 5_000 } },
    },
    { id: 'fabrikam', issuer: 'https://id2.example', registrars: { audience: 'cloud' } },
  ],
  groups: [
    { id: 'berlin', tenantId: 'contoso' },
    { id: 'paris', tenantId: 'fabrikam' },
  ],
  applications: [
    {
      ...{ id: 'wiki', groupId: 'berlin', preAuthentication: 'oidc' },
      ...{ externalUrl: 'https://wiki.example/', internalUrl: 'http://10.0.0.7/' },
      client: { id: 'wiki', secret: SECRET },
      assigned: { users: ['sub:alice', 'upn:bob'], groups: ['staff'] },
      identityHeaders: { 'X-User': 'subject', 'X-Groups': { claim: 'groups', separator: ';' } },
      cors: { origins: ['https://portal.example'], paths: ['/a'] },
      translate: {
        ...{ bodies: 'links', mediaTypes: ['application/json'] },
        ...{ trustedOrigins: ['https://wiki.example'], cookies: { domain: 'wiki.example' } },
      },
      bearer: { audiences: ['a'], scopes: ['use'] },
      policies: [{ id: 'own', effect: 'step-up', stepUp: { acrValues: ['two'] } }],
    },
    {
      ...{ id: 'open', groupId: 'paris', preAuthentication: 'passthrough' },
      ...{ externalUrl: 'https://open.example/', internalUrl: 'http://10.0.0.8/' },
    },
  ],
})

/** Every place of a value, from the outermost in. */
function placesOf(value: unknown): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [[]]
  const within = Object.entries(value).flatMap(([name, member]) =>
    placesOf(member).map((place) => [name, ...place]),
  )
  return [[], ...within]
}
const PLACES = placesOf(good()).slice(1)

type Changed = { readonly place: readonly string[]; readonly how: 'replaced' | 'renamed' | 'gone' }
function change(written: object, { place, how }: Changed, value: unknown): void {
  let holder = written as Record<string, unknown>
  for (const step of place.slice(0, -1)) {
    if (typeof holder[step] !== 'object' || holder[step] === null) return
    holder = holder[step] as Record<string, unknown>
  }
  const name = place.at(-1)!
  const before = holder[name]
  if (how === 'replaced') holder[name] = value
  else Reflect.deleteProperty(holder, name)
  if (how === 'renamed') holder[`${name.slice(1)}x`] = before
}

test('any three changes of a good directory are read, or told as mistakes', () => {
  const values = [null, [], {}, '', 'x', 7, -1, 0.5, true, [null], [{}], ['x'], { id: 'x' }]
  const changed = fc.record({
    place: fc.constantFrom(...PLACES),
    how: fc.constantFrom('replaced' as const, 'renamed' as const, 'gone' as const),
    value: fc.constantFrom(...values, SECRET, 'https://x.example/', 'https://me:secret@x.example/'),
  })
  let refused = 0
  const property = fc.property(fc.array(changed, { minLength: 1, maxLength: 3 }), (changes) => {
    const written = good()
    for (const { value, ...one } of changes) change(written, one, structuredClone(value))
    const isTold = changes.every(({ value }) => value !== SECRET)
    try {
      readDirectory(written, { file: 'cloud.json' })
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigurationInvalid)
      const { mistakes, message } = error as ConfigurationInvalid
      expect(mistakes.length).toBeGreaterThan(0)
      expect(mistakes.map(({ detail }) => detail)).not.toContain('is not as it must be')
      // Where somebody wrote it elsewhere, nothing says that it is one.
      if (isTold) expect(message).not.toContain(SECRET)
      expect(message).not.toContain('me:secret')
      refused++
    }
  })
  fc.assert(property, { numRuns: 1_000 })
  expect(refused).toBeGreaterThan(500)
})
