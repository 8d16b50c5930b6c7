import { expect, test } from 'vitest'
import {
  ForwardingUserExchange,
  type UserEvents,
  type UserExchange,
} from '../../../src/cloud/index.ts'

/** Says its name and what it was given, and answers with its name. */
function recorder(said: unknown[]): never {
  return new Proxy(
    {},
    {
      get: (_, name) =>
        name === 'head'
          ? { method: 'GET' }
          : (...given: unknown[]) => {
              said.push([name, ...given])
              return name
            },
    },
  ) as never
}

const HEAD = { status: 200, headers: ['a', 'b'] }
const BYTES = new Uint8Array([1])
const TOLD = {
  startBody: [],
  pauseBody: [],
  resumeBody: [],
  inform: [HEAD],
  respond: [HEAD, true],
  upgrade: [HEAD],
  write: [BYTES],
  end: [['t', 'v']],
  requireHttp1: [],
  abort: [{ code: 'connection-lost', status: 502, detail: 'It broke off.', requestId: 'r' }],
} as const satisfies Record<
  Exclude<keyof UserExchange, 'head' | 'connection' | 'listen'>,
  readonly unknown[]
>
const SAID = {
  data: [BYTES],
  ended: [['t', 'v']],
  drained: [],
  gone: [false],
} as const satisfies Record<keyof UserEvents, readonly unknown[]>

test.each(Object.entries(TOLD))('%s is forwarded to the user', (name, given) => {
  const said: unknown[] = []
  const user = new ForwardingUserExchange(recorder(said))
  const answer = (user[name as keyof typeof TOLD] as (...given: unknown[]) => unknown)(...given)
  expect(said).toEqual([[name, ...given]])
  expect(answer).toBe(name === 'write' || name === 'requireHttp1' ? name : undefined)
  expect(user.head).toEqual({ method: 'GET' })
  expect(typeof user.connection).toBe('function')
})

test.each(Object.entries(SAID))('%s of the user is forwarded to who listens', (name, given) => {
  const listened: [string, UserEvents][] = []
  const user = new ForwardingUserExchange(recorder(listened))
  const said: unknown[] = []
  user.listen(recorder(said))
  const [, events] = listened[0]!
  ;(events[name as keyof UserEvents] as (...given: unknown[]) => void)(...given)
  expect(said).toEqual([[name, ...given]])
})
