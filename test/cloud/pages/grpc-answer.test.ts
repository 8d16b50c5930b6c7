import { status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import {
  GRPC_STATUS,
  grpcResponse,
  grpcStatusOf,
  grpcTrailers,
  grpcTypeOf,
  isGrpc,
} from '../../../src/cloud/pages/grpc-answer.ts'
import { ALL_ANSWERS } from './all-answers.ts'

test('the numbers are those of gRPC', () => {
  for (const [name, code] of Object.entries(GRPC_STATUS))
    expect([name, status[name as keyof typeof status]]).toEqual([name, code])
})

describe('every answer of ours that is a refusal or a failure', () => {
  test.each(ALL_ANSWERS.filter(({ status }) => status >= 400))(
    '$code is one in gRPC, by a head alone',
    (answer) => {
      const { status, headers, body } = grpcResponse({ ...answer, requestId: '1234' })
      expect([status, body.length]).toEqual([200, 0])
      const fields = Object.fromEntries(
        headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1]]] : [])),
      ) as Record<string, string>
      expect(fields['Content-Type']).toBe('application/grpc')
      expect(Number(fields['grpc-status'])).toBeGreaterThan(0)
      expect(decodeURIComponent(fields['grpc-message']!)).toBe(
        `${answer.detail} (${answer.code}, request 1234)`,
      )
      expect(fields['grpc-message']).toMatch(/^[\x20-\x7e]+$/)
    },
  )
})

test('who is not known, who may not, who asks too much, what is not there, what may pass', () => {
  expect(grpcStatusOf('sign-in-required', 401)).toBe('UNAUTHENTICATED')
  expect(grpcStatusOf('token-scope', 403)).toBe('PERMISSION_DENIED')
  expect(grpcStatusOf('user-share', 429)).toBe('RESOURCE_EXHAUSTED')
  expect(grpcStatusOf('no-connector', 504)).toBe('UNAVAILABLE')
  expect(grpcStatusOf('application-timeout', 504)).toBe('DEADLINE_EXCEEDED')
  expect(grpcStatusOf('maintenance', 503)).toBe('UNAVAILABLE')
  expect(grpcStatusOf('constructor', 418)).toBe('UNKNOWN')
  expect(grpcStatusOf('whatever', 599)).toBe('INTERNAL')
})

test('a message is percent-encoded as gRPC wants it', () => {
  const failure = { code: 'x', status: 500, requestId: '1', detail: '100 %\nüber 😀~' }
  expect(grpcTrailers(failure).at(-1)).toBe('100 %25%0A%C3%BCber %F0%9F%98%80~ (x, request 1)')
})

test('what is gRPC by its content type', () => {
  for (const type of ['application/grpc', 'application/grpc+proto', 'Application/gRPC;x=1'])
    expect(isGrpc(['Content-Type', type])).toBe(true)
  for (const type of [
    'application/grpc-web',
    'application/grpc-web+proto',
    'application/grpcx',
    '',
  ])
    expect(isGrpc(['content-type', type])).toBe(false)
  expect(isGrpc([])).toBe(false)
})

test.each([
  ['application/grpc', '2', 'application/grpc'],
  ['application/grpc+proto', '1.1', undefined],
  ['application/grpc-web', '1.1', 'application/grpc-web'],
  ['Application/gRPC-Web-Text+Proto; charset=x', '1.1', 'application/grpc-web-text+proto'],
  ['application/grpc-web+proto', '2', 'application/grpc-web+proto'],
  ['application/grpc-webby', '2', undefined],
  ['application/grpc-web+a\u00e9', '2', undefined],
  ['application/json', '2', undefined],
])('a refusal of %j over HTTP/%s is %j', (type, version, answered) =>
  expect(grpcTypeOf(['content-type', type], version)).toBe(answered),
)
