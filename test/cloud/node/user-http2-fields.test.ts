import { afterEach, expect, test } from 'vitest'
import { Asked, start, stop } from './http2-client.ts'

afterEach(stop)

test('trailers and hints twice that may be there once are joined, as HTTP/1.1 readers join them', async () => {
  await start(({ user }) => {
    user.inform({ status: 103, headers: ['ETag', '"a"', 'etag', '"b"'] })
    user.respond({ status: 200, headers: [] }, false)
    user.write(Buffer.from('x'))
    user.end(['ETag', '"a"', 'etag', '"b"', 'X-Sum', '1', 'x-sum', '2'])
  })
  const asked = new Asked({})
  await asked.closed()
  expect([asked.body, asked.isEnded]).toEqual(['x', true])
  expect(asked.interim[0]).toMatchObject({ ':status': 103, etag: '"a", "b"' })
  expect(asked.trailers).toEqual(['etag', '"a", "b"', 'x-sum', '1, 2'])
})
