import * as v from 'valibot'
import { expect, test } from 'vitest'
import { ConfigurationInvalid, mistakeLine } from '../../src/protocol/wire/errors.ts'
import { checkConfiguration } from '../../src/runtime/check-configuration.ts'
import { parseJson } from '../../src/runtime/json-text.ts'

const Settings = v.strictObject({
  place: v.optional(v.boolean()),
  devices: v.optional(v.record(v.string(), v.string())),
  list: v.optional(v.array(v.strictObject({ id: v.string() }))),
})

function mistakesOf(value: unknown) {
  try {
    checkConfiguration(Settings, value, { file: 'settings.json' })
  } catch (error) {
    return (error as ConfigurationInvalid).mistakes
  }
  return []
}

test.each([
  ['a ticket', 'Zm9vYmFyLWZvb2Jhci1mb29iYXItZm9vYmFyLWZvb2I'],
  ['a token', 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln'],
  ['a key', '-----BEGIN PRIVATE KEY-----\nMIGH'],
  ['credentials in a URL', 'https://me:secret@cloud.example'],
  ['credentials of which the URL makes a path', 'https://me:sec/ret@cloud.example'],
  ['credentials behind a colon', 'https:me:secret@cloud.example'],
])('%s that stands where it does not belong is not told', (_, secret) => {
  const [mistake] = mistakesOf({ place: secret })
  expect(mistake).toMatchObject({ path: 'place', detail: 'must be true or false, not a string' })
  expect(mistake!.value).toBeUndefined()
  // Also of what a program found wrong itself: the name of a file may be no file.
  const told = new ConfigurationInvalid([
    { path: '--token-file', detail: 'there is no such file', value: JSON.stringify(secret) },
  ])
  expect(told.mistakes[0]!.value).toBeUndefined()
  expect(told.message).toBe('--token-file: there is no such file')
})

test('what is no secret is told', () => {
  for (const value of ['yes', '/etc/app-proxy/keys/cloud.example.pem', 'user@contoso.example'])
    expect(mistakesOf({ place: value })[0]!.value).toBe(JSON.stringify(value))
})

test('a mistake is one line, whatever its names hold', () => {
  const [mistake] = mistakesOf({ 'a\r\nb\u001b[2J\u2028': 1 })
  expect(mistakeLine(mistake!)).toMatch(
    /^settings\.json: a\\u000d\\u000ab\\u001b\[2J\\u2028: is not known here/,
  )
})

test('a name that the schema library passes over is refused', () => {
  for (const name of ['__proto__', 'constructor', 'prototype'])
    expect(mistakesOf(parseJson(`{ "devices": { "${name}": "kept" } }`))).toMatchObject([
      { file: 'settings.json', path: `devices.${name}`, detail: expect.stringContaining('known') },
    ])
})

test('what is nested too deeply, or within itself, is a mistake', () => {
  const endless: { list: unknown[] } = { list: [] }
  endless.list.push(endless)
  for (const value of [endless, JSON.parse('['.repeat(50_000) + ']'.repeat(50_000))])
    expect(mistakesOf(value)).toMatchObject([{ detail: 'is nested deeper than 64' }])
})

test('very many mistakes are told in the order in which they are written', () => {
  const many = Object.fromEntries(Array.from({ length: 12_000 }, (_, i) => [`unknown ${i}`, i]))
  expect(mistakesOf(many).map(({ path }) => path)).toEqual(Object.keys(many))
  const list = Array.from({ length: 12_000 }, (_, i) => i)
  expect(mistakesOf({ list }).map(({ value }) => value)).toEqual(list.map(String))
})

test('a very long text is JSON', () => {
  const long = 'x'.repeat(30_000_000)
  expect(parseJson(JSON.stringify(long))).toBe(long)
})
