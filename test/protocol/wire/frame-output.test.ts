import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ApiMisuse } from '../../../src/protocol/wire/errors.ts'
import { encodeFrame } from '../../../src/protocol/wire/frame.ts'
import { FrameOutput } from '../../../src/protocol/wire/frame-output.ts'
import { FrameFlag, FrameType } from '../../../src/protocol/wire/frame-types.ts'
import { encodeResponseHead, writeResponseHead } from '../../../src/protocol/wire/heads.ts'

const hexOf = (chunks: readonly Uint8Array[]) => Buffer.concat(chunks).toString('hex')

/** Something that is said, and the frame that it is to be. */
const said = fc.oneof(
  fc.record({ kind: fc.constant('head'), size: fc.nat(20_000) }),
  fc.record({ kind: fc.constant('data'), size: fc.nat(20_000) }),
  fc.record({ kind: fc.constant('too-large'), size: fc.constant(70_000) }),
  fc.record({ kind: fc.constantFrom('take', 'release'), size: fc.constant(0) }),
)

test('frames leave in order, each as if it was alone, whatever was said before', () =>
  fc.assert(
    fc.property(fc.array(said, { maxLength: 30 }), (all) => {
      const output = new FrameOutput()
      const taken: Uint8Array[] = []
      const frames: Uint8Array[] = []
      all.forEach(({ kind, size }, number) => {
        const head = { status: 200, headers: ['x', 'v'.repeat(size)] }
        const write = () => output.head(FrameType.RESPONSE, 0, number, writeResponseHead, head)
        if (kind === 'take') taken.push(...output.take())
        else if (kind === 'release') output.release()
        else if (kind === 'too-large') expect(write).toThrow(ApiMisuse)
        else if (kind === 'data') {
          const bytes = new Uint8Array(Math.min(size, 16_384)).fill(number)
          output.data(number, bytes, true)
          frames.push(encodeFrame(FrameType.DATA, FrameFlag.END, number, bytes))
        } else {
          write()
          frames.push(encodeFrame(FrameType.RESPONSE, 0, number, encodeResponseHead(head)))
        }
      })
      taken.push(...output.take())
      expect(hexOf(taken)).toBe(hexOf(frames))
      expect(output.hasMore).toBe(false)
    }),
  ))

test('a small head takes no memory of its own', () => {
  const output = new FrameOutput()
  const head = { status: 204, headers: ['Date', 'x'] }
  for (let time = 0; time < 3; time++)
    output.head(FrameType.RESPONSE, 0, 1, writeResponseHead, head)
  expect(output.take()).toHaveLength(1)
})
