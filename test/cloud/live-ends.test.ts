import { expect, test, vi } from 'vitest'
import { edgeWorld, HOST, type EdgeWorld } from './edge-world.ts'

const SOON = { timeout: 2_000 }

function openStream(world: EdgeWorld) {
  const user = world.ask({ authority: HOST, headers: ['Cookie', world.cookie] })
  world.claim().exchange.receivedResponse({ status: 200, headers: [] }, false, 0)
  expect(user.status).toBe(200)
  return user
}

test('what is open ends when its application is published no more', async () => {
  const world = await edgeWorld()
  const user = openStream(world)
  world.reconfigure({ id: 'another' })
  await vi.waitFor(() => expect(user.verbs.at(-1)).toBe('abort'), SOON)
})

test('a decision that fails lets nobody stay, and disturbs nobody else', async () => {
  let isBroken = false
  const decideAccess = () => {
    if (isBroken) throw new TypeError('of its author')
    return { kind: 'allow' } as const
  }
  const world = await edgeWorld({}, { edge: { decideAccess } })
  const [one, two] = [openStream(world), openStream(world)]
  isBroken = true
  await vi.waitFor(() => expect(two.verbs.at(-1)).toBe('abort'), SOON)
  expect(one.verbs.at(-1)).toBe('abort')
  expect(world.audit.events.slice(-2)).toMatchObject([
    { type: 'edge.internal-error', reason: 'TypeError' },
    { type: 'edge.internal-error', reason: 'TypeError' },
  ])
})
