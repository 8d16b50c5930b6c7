import { expect, test } from 'vitest'
import { createDirectory } from '../../../src/cloud/directory/directory.ts'
import type { TranslateInput } from '../../../src/cloud/directory/translate-input.ts'
import { ConfigurationInvalid } from '../../../src/protocol/wire/errors.ts'

const published = (
  id: string,
  groupId: string,
  externalUrl: string,
  translate?: TranslateInput,
) => ({
  ...{ id, groupId, externalUrl, translate },
  internalUrl: `http://${id}.internal/`,
  preAuthentication: 'passthrough' as const,
})
const directory = (translate?: TranslateInput) =>
  createDirectory({
    tenants: ['contoso', 'fabrikam'].map((id) => ({
      ...{ id, issuer: `https://${id}.example` },
      registrars: { audience: 'cloud' },
    })),
    groups: [
      { id: 'berlin', tenantId: 'contoso' },
      { id: 'paris', tenantId: 'fabrikam' },
    ],
    applications: [
      published('wiki', 'berlin', 'https://wiki.corp.example/', translate),
      published('shop', 'berlin', 'https://shop.corp.example/'),
      published('theirs', 'paris', 'https://theirs.else.corp.example/'),
    ],
  })

function mistakes(translate: TranslateInput): readonly string[] {
  try {
    directory(translate)
    return []
  } catch (error) {
    if (!(error instanceof ConfigurationInvalid)) throw error
    return error.mistakes.map(
      ({ path, detail }) => `${path.replace(/^.*translate\.?/, '')} ${detail}`,
    )
  }
}

test('header fields are translated, unless it is said that they are not; bodies if it is said', () => {
  expect(directory().application('wiki')!.translate).toBeUndefined()
  expect(directory({}).application('wiki')!.translate).toEqual({
    ...{ headers: true, bodies: 'none', mediaTypes: [], trustedOrigins: [] },
    cookies: { prefixed: false },
  })
  const { translate } = directory({
    ...{ headers: false, bodies: 'links', mediaTypes: ['application/json'] },
  }).application('wiki')!
  expect(translate).toMatchObject({
    headers: false,
    bodies: 'links',
    mediaTypes: ['application/json'],
  })
})

test('connectors do not see it: the version stays', () => {
  const [a, b] = [directory(), directory({ headers: false })]
  expect(a.application('wiki')!.version).toBe(b.application('wiki')!.version)
})

test.each<[TranslateInput, string]>([
  [{ mediaTypes: ['application/json'] }, 'mediaTypes needs "bodies" to be "links"'],
  [{ bodies: 'links', mediaTypes: ['json'] }, 'mediaTypes[0] is no media type'],
  [
    { trustedOrigins: ['shop'] },
    'trustedOrigins[0] must be an origin, such as "https://host.example"',
  ],
  [
    { trustedOrigins: ['https://theirs.else.corp.example'] },
    'trustedOrigins[0] is that of no application of the tenant',
  ],
  [{ cookies: { domain: 'example' } }, 'cookies.domain must be a domain, such as "corp.example"'],
  [
    { cookies: { domain: '.wiki.corp.example' } },
    'cookies.domain must be a domain, such as "corp.example"',
  ],
  [{ cookies: { domain: '10.0.0.7' } }, 'cookies.domain must be a domain, such as "corp.example"'],
  [
    { cookies: { domain: 'shop.corp.example' } },
    'cookies.domain is no domain of the external host',
  ],
  [{ cookies: { domain: 'corp.example' } }, 'cookies.domain has a host of another tenant'],
])('%j is a mistake', (translate, told) => expect(mistakes(translate)).toContain(told))

test('what names nobody else is none', () =>
  expect(
    mistakes({
      trustedOrigins: ['https://shop.corp.example', 'https://wiki.corp.example'],
      cookies: { domain: 'wiki.corp.example', prefixed: true },
    }),
  ).toEqual([]))
