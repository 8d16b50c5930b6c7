/** When an instance takes part in a queue group. */
import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { EMPTY_MS, eventOf, GroupMembership } from '../../../src/cloud/nats/group-membership.ts'
import { presence } from '../../suites/offer-queue-suite.ts'

let parts: number
let waits: { readonly ms: number; readonly run: () => void; isOff: boolean }[]
let membership: GroupMembership
beforeEach(() => {
  parts = 0
  waits = []
  membership = new GroupMembership(
    () => {
      parts += 1
      return () => void (parts -= 1)
    },
    (ms, run) => {
      const wait = { ms, run, isOff: false }
      waits.push(wait)
      return () => void (wait.isOff = true)
    },
  )
})
const elapse = () => {
  for (const { run, isOff } of waits.splice(0)) if (!isOff) run()
}
const room = (granted: number, offers = 100) =>
  membership.handle(eventOf(presence('far', { granted, offers })))

test('it joins at a quarter, stays below, and leaves after a second at nothing', () => {
  room(24)
  expect(parts).toBe(0)
  room(25)
  expect(parts).toBe(1)
  room(1)
  room(0)
  expect([parts, waits.map(({ ms }) => ms)]).toEqual([1, [EMPTY_MS]])
  elapse()
  expect(parts).toBe(0)
  room(24)
  expect(parts).toBe(0)
  room(100)
  expect(parts).toBe(1)
})

test('a moment without room changes nothing', () => {
  room(100)
  room(0)
  room(1)
  elapse()
  expect([parts, membership.state]).toEqual([1, 'joined'])
})

test('without a link it leaves at once', () => {
  room(100)
  room(0, 0)
  expect(parts).toBe(0)
  elapse()
  expect(parts).toBe(0)
})

test('whatever comes, it takes part once or not at all, as its state says', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant('elapsed'), fc.tuple(fc.nat(10), fc.nat(10)))),
      (inputs) => {
        for (const input of inputs) {
          if (typeof input === 'string') elapse()
          else room(Math.min(input[0], input[1]), input[1])
          expect(parts).toBe(membership.state === 'out' ? 0 : 1)
        }
        room(0, 0)
        expect(parts).toBe(0)
      },
    ),
  )
})
