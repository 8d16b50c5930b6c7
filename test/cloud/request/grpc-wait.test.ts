import { expect, test } from 'vitest'
import { createDirectory } from '../../../src/cloud/index.ts'
import { publishedOf } from '../../../src/cloud/directory/published.ts'
import { destinationOf, grpcTimeoutMs } from '../../../src/cloud/request/grpc-wait.ts'

test.each([
  ['1H', 3_600_000],
  ['2M', 120_000],
  ['30S', 30_000],
  ['250m', 250],
  ['250u', 1],
  ['99999999n', 100],
  ['0S', 1],
  ['00000010S', 10_000],
  ['100000000m', Infinity],
  ['1s', Infinity],
  ['-1S', Infinity],
  ['1.5S', Infinity],
  [' 1S', Infinity],
  ['', Infinity],
  [undefined, Infinity],
])('a grpc-timeout of %j is %d ms', (timeout, ms) => expect(grpcTimeoutMs(timeout)).toBe(ms))

const published = (more: object) =>
  publishedOf(
    createDirectory({
      tenants: [{ id: 't', issuer: 'https://sts.example', registrars: { audience: 'x' } }],
      groups: [{ id: 'g', tenantId: 't' }],
      applications: [
        {
          ...{ id: 'a', groupId: 'g', externalUrl: 'https://a.example/' },
          ...{ internalUrl: 'http://10.0.0.1/', preAuthentication: 'passthrough', ...more },
        },
      ],
    }).application('a')!,
  )
const GRPC = ['Content-Type', 'application/grpc+proto']
const h2c = { backendProtocol: 'h2c' as const }

test.each([
  ['what is no call waits as ever', h2c, ['content-type', 'application/json'], 85_000],
  ['so does a call of gRPC-Web', h2c, ['content-type', 'application/grpc-web+proto'], 85_000],
  ['and what goes to an application of HTTP/1.1', {}, GRPC, 85_000],
  ['a call without a deadline: an hour', h2c, GRPC, 3_600_000],
  ['or what the application says', { ...h2c, grpcHeadMs: 7_000 }, GRPC, 7_000],
  ['a deadline is less', { ...h2c, grpcHeadMs: 7_000 }, [...GRPC, 'grpc-timeout', '5S'], 5_000],
  ['and never more', { ...h2c, grpcHeadMs: 7_000 }, [...GRPC, 'grpc-timeout', '9S'], 7_000],
] as const)('%s', (_, more, headers, ms) => {
  const application = published(more)
  const destination = destinationOf(application, headers)
  expect(destination.responseHeadMs).toBe(ms)
  // Who does not call pays for nothing.
  if (ms === 85_000) expect(destination).toBe(application.destination)
})

const GRPC_HOUR = [...GRPC, 'grpc-timeout', '1H']

test.each([
  ['its client may be silent for as long', h2c, GRPC_HOUR, { requestIdleMs: 3_600_000 }],
  ['and for no less than others', h2c, [...GRPC, 'grpc-timeout', '1S'], undefined],
  [
    'unless the application says how long',
    { ...h2c, limits: { requestIdleMs: 9_000, responseIdleMs: 8_000 } },
    ...[GRPC_HOUR, { requestIdleMs: 9_000, responseIdleMs: 8_000 }],
  ],
  [
    'which says nothing of its answer',
    { ...h2c, limits: { responseIdleMs: 8_000 } },
    ...[GRPC_HOUR, { requestIdleMs: 3_600_000, responseIdleMs: 8_000 }],
  ],
] as const)('%s', (_, more, headers, patience) => {
  expect(destinationOf(published(more), headers).patience).toEqual(patience)
})
