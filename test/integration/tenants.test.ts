/** A connector whose tenant or group is gone: it gets nothing, holds nothing and is told why. */
import { afterEach, expect, test } from 'vitest'
import { readDirectory } from '../../src/cloud/index.ts'
import { startRawWorld, type RawWorld } from './raw-world.ts'
import { until } from './tunnel.ts'
import { frames, type Outcome } from './raw-connector.ts'

const FABRIKAM = {
  id: 'fabrikam',
  issuer: 'https://fabrikam.example',
  registrars: { audience: 'https://fabrikam.example/registrars' },
}

const OURS = { id: 'ours', tenantId: 'contoso' }
const THEIRS = { id: 'theirs', tenantId: 'fabrikam' }

let world: RawWorld
afterEach(() => world.close())

/** What the directory says from now on; the applications stay on group `default`. */
const replace = (change: object) =>
  world.directory.replace(readDirectory({ ...world.configuration, ...change }))

const CHANGES: readonly (readonly [string, () => void, string])[] = [
  [
    'its group moves to another tenant',
    () =>
      replace({
        groups: [OURS, { id: 'default', tenantId: 'fabrikam' }],
      }),
    'fabrikam',
  ],
  [
    'its tenant is removed and the id of its group used again',
    () => replace({ tenants: [FABRIKAM], groups: [{ id: 'default', tenantId: 'fabrikam' }] }),
    'fabrikam',
  ],
  [
    'its tenant and its group are removed',
    () => replace({ tenants: [FABRIKAM], groups: [THEIRS], applications: [] }),
    '',
  ],
]

test.each(CHANGES)('%s: no offer, no link, no call', async (_, change, newTenant) => {
  world = await startRawWorld({ noConnector: false, tenants: [FABRIKAM], groups: [THEIRS] })
  // One of each binding, both of the old tenant.
  const old = world.connect(await world.enrol())
  const link = await old.link()
  await until(() => world.attached.length === 2)
  const before = world.events.length
  change()
  const headers = { authorization: 'Bearer secret', cookie: 'secret=1' }
  const asked = world.user('/', { headers })
  if (newTenant !== '') {
    const theirs = world.connect(await world.enrol({ tenantId: newTenant }))
    const theirLink = await theirs.link()
    const offer = await theirLink.offer()
    await theirs
      .answer(offer.id)
      .end(frames.claim(offer), frames.response(), frames.data('theirs', true))
    expect(await asked).toMatchObject({ status: 200, body: Buffer.from('theirs') })
  } else expect(await asked).toMatchObject({ status: 404 })
  expect(link.offers).toEqual([])
  expect(world.offers).toHaveLength(newTenant === '' ? 0 : 1)
  await until(() => link.isClosed)
  const ofLink = () =>
    world.events.slice(before).flatMap((one) => ('state' in one ? one.state : []))
  await until(() => ofLink().includes('backoff'))
  for (const [method, path] of [
    ['POST', '/application'],
    ['POST', '/configuration'],
    [
      'GET',
      '/links/raw-1/offers?versions=1&run=i&index=0&epoch=1&offers=1&granted=1&max-data=16384',
    ],
    ['POST', `/exchanges/${'0'.repeat(32)}/response`],
  ] as const) {
    let told: Outcome = 'broken'
    // The connection that a call took may be one that was being closed.
    await until(async () => (told = await old.call(method, path)) !== 'broken')
    expect(told).toMatchObject({ status: 403, code: 'connector-unassigned', retryAfter: '10' })
  }
})

test('what it has claimed ends with it, and it may go on when its group is given back', async () => {
  world = await startRawWorld({ tenants: [FABRIKAM], groups: [THEIRS] })
  const connector = world.connect(await world.enrol())
  const link = await connector.link()
  const asked = world.user('/', { method: 'POST', body: Buffer.from('a body') })
  const pull = await connector.pull(await link.offer())
  replace({ groups: [OURS, { id: 'default', tenantId: 'fabrikam' }] })
  expect(await asked).toMatchObject({ status: 502 })
  await until(() => pull.isClosed && link.isClosed)
  replace({})
  expect((await connector.link('raw-2')).status).toBe(200)
})

test('one tenant that cannot be looked up keeps no other from being looked after', async () => {
  world = await startRawWorld({ tenants: [FABRIKAM], groups: [THEIRS] })
  const ours = await world.connect(await world.enrol()).link()
  const theirs = await world
    .connect(await world.enrol({ tenantId: 'fabrikam', groupId: 'theirs' }))
    .link()
  const tenant = world.directory.tenant.bind(world.directory)
  world.directory.tenant = (id) => {
    if (id === 'contoso') throw new Error('a damaged row')
    return tenant(id)
  }
  const groups = [
    { id: 'default', tenantId: 'contoso' },
    { ...THEIRS, id: 'another' },
  ]
  replace({ groups })
  await until(() => theirs.isClosed)
  expect(ours.isClosed).toBe(false)
})
