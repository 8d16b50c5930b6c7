import { readFile, readdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { MESSAGES, FrameType, PeerViolation } from '../src/protocol/internal.ts'
import { fromHex, fromJson, toHex, toJson, type VectorFile } from './generate/vector.ts'
import { vectorCodecs, vectors } from './generate/vectors.ts'

const FOLDER = new URL('vectors/', import.meta.url)
const checkedIn = new Map<string, string>()
for (const name of (await readdir(FOLDER)).filter((name) => name.endsWith('.json')))
  checkedIn.set(name, await readFile(new URL(name, FOLDER), 'utf8'))

test('there is a file for every message and every frame type', () => {
  const names = [...checkedIn.values()].map((text) => (JSON.parse(text) as VectorFile).name)
  expect(names.sort()).toEqual([...Object.keys(MESSAGES), ...Object.keys(FrameType)].sort())
})

test('the files are what their generator writes', () => {
  const generated = [...vectors()].map(([name, file]) => [
    name,
    `${JSON.stringify(file, null, 2)}\n`,
  ])
  expect(Object.fromEntries(checkedIn)).toEqual(Object.fromEntries(generated))
})

describe.each([...checkedIn])('%s', (fileName, text) => {
  const file = JSON.parse(text) as VectorFile
  const codec = vectorCodecs().get(fileName)!

  test.each(file.valid)('reads $name', ({ value, hex, alternative }) => {
    const decoded = codec.decode(fromHex(hex))
    expect(toJson(decoded)).toEqual(value)
    const again = toHex(codec.encode(fromJson(value)))
    if (alternative) expect(again).not.toBe(hex)
    else expect(again).toBe(hex)
  })

  test.each(file.invalid)('refuses $name', ({ hex, reason }) => {
    expect(() => codec.decode(fromHex(hex))).toThrow(
      expect.objectContaining({ name: PeerViolation.name, reason }),
    )
  })
})
