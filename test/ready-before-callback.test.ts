import { Linter } from 'eslint'
import { describe, expect, test } from 'vitest'
import { readyBeforeCallback } from '../lint/ready-before-callback.js'

const linter = new Linter()
const faults = (code: string) =>
  linter
    .verify(`function f() { ${code} }`, {
      plugins: { lifecycle: { rules: { ready: readyBeforeCallback } } },
      rules: { 'lifecycle/ready': 'error' },
      languageOptions: { ecmaVersion: 2023, sourceType: 'module' },
    })
    .map(({ message }) => message.slice(0, message.indexOf(':')))

const EARLY = ['"later" is not ready here yet']

describe('a callback that may run before what it uses is there', () => {
  test.each([
    'const link = open({ wake: () => later.wake() }); const later = new Transport(link)',
    'const later = new Exchange(wire, () => remove(later))',
    'const later = connect(one, { ended: [() => later.close()] })',
    'const link = open(function () { nested(() => later) }); let later = 1',
    'open(() => new later()); class later {}',
  ])('is reported: %s', (code) => expect(faults(code)).toEqual(EARLY))

  test.each([
    'const later = new Transport(); open({ wake: () => later.wake() })',
    'const later = setTimeout(() => clearTimeout(later))',
    'const later = promise.then(() => stop(later))',
    'open(() => after()); function after() {}',
    'const early = () => later; const later = 1; open(early)',
    'open((later) => later.wake()); const later = 1',
  ])('is not reported: %s', (code) => expect(faults(code)).toEqual([]))
})
