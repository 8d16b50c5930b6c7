import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IndependentLink, IndependentPlain, type Serve } from './independent-peer.ts'
import { startRawWorld, type RawWorld } from './raw-world.ts'
import { until } from './tunnel.ts'

let world: RawWorld
beforeAll(async () => {
  world = await startRawWorld()
})
afterAll(() => world.close())

test('the peers import nothing of ours', () => {
  const source = readFileSync(new URL('independent-peer.ts', import.meta.url), 'utf8')
  const imports = [...source.matchAll(/\bfrom '([^']+)'/g)].map((match) => match[1])
  expect(imports.length).toBeGreaterThan(0)
  for (const specifier of imports) expect(specifier).toMatch(/^node:/)
})

const serve: Serve = (offer, body) =>
  `${String(offer['method'])} ${String(offer['target'])} ${body.length} ${body.toString()}`

const PEERS = [
  ['the link binding', IndependentLink],
  ['the plain binding', IndependentPlain],
] as const

describe.each(PEERS)('a connector made from the layouts, over %s', (_, Peer) => {
  let peer: IndependentLink | IndependentPlain
  beforeAll(async () => {
    peer = new Peer(world.connectorUrl, { ca: world.ca, ...(await world.enrol()) }, serve)
    await until(() => peer.received.some(({ name }) => name === 'WELCOME'))
  })
  afterAll(async () => {
    peer.close()
    await until(() => world.cloud.origin.open === 0)
  })

  test('is welcomed', () => {
    const [welcome] = peer.received
    expect(welcome).toMatchObject({ name: 'WELCOME', number: 0 })
    expect(welcome!.elements).toMatchObject({ version: 1, instance: 'cloud-1' })
  })

  test('claims a GET and answers it', async () => {
    const answer = await world.user('/docs?page=2')
    expect(answer).toMatchObject({ status: 200, broken: false })
    expect(answer.body.toString()).toBe('GET /docs?page=2 0 ')
  })

  test('claims a POST, waits to be confirmed, reads the body and answers it', async () => {
    const body = Buffer.from('a form, and more of it')
    const answer = await world.user('/form', { method: 'POST', body })
    expect(answer).toMatchObject({ status: 200, broken: false })
    expect(answer.body.toString()).toBe(`POST /form ${body.length} ${body.toString()}`)
    const confirmed = peer.received.filter(({ name }) => name === 'CONFIRM')
    expect(confirmed).toHaveLength(peer instanceof IndependentLink ? 1 : 0)
  })

  test('was offered nothing that the layouts do not say', () => {
    const offers = peer.received.filter(({ name }) => name === 'OFFER')
    expect(offers).toHaveLength(2)
    for (const { elements } of offers)
      expect(elements).toMatchObject({ attempt: 1, applicationId: expect.any(String) })
  })
})
