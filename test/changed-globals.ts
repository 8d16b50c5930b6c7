/**
 * What an import changes that others can see.
 *
 * @module
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Paths of globals that are other after the import than before, in a process of its own. */
export async function changedGlobals(specifier: string, cwd: string): Promise<string[]> {
  // To look into all of them is to make some of them: the names are compared before anybody looks.
  const changed = await Promise.all([
    printed(NAMES, specifier, cwd),
    printed(PATHS, specifier, cwd),
  ])
  return [...new Set(changed.flat())].sort()
}

async function printed(program: string, specifier: string, cwd: string): Promise<string[]> {
  const code = ['--input-type=module', '-e', program, specifier]
  const { stdout } = await promisify(execFile)(process.execPath, code, { cwd })
  return JSON.parse(stdout) as string[]
}

/** Prints the names that are new. */
const NAMES = `
const before = new Set(Reflect.ownKeys(globalThis))
await import(process.argv[1])
const added = Reflect.ownKeys(globalThis).filter((name) => !before.has(name))
console.log(JSON.stringify(added.map(String)))
`

/** Prints the paths of what is other after the import than before. */
const PATHS = `
import { builtinModules } from 'node:module'
// Of a program on the command line these are globals, which Node fills when they are used.
const skipped = new Set([...builtinModules, 'globalThis', 'global'])
const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function'
const members = (object, path, into) => {
  for (const key of Reflect.ownKeys(object)) {
    const { value, get, set } = Object.getOwnPropertyDescriptor(object, key)
    into.set(path + String(key), get ?? set ?? value)
  }
}
const snapshot = () => {
  const all = new Map()
  members(globalThis, '', all)
  for (const name of Reflect.ownKeys(globalThis)) {
    if (skipped.has(name)) continue
    const value = globalThis[name]
    if (!isObject(value)) continue
    members(value, String(name) + '.', all)
    if (isObject(value.prototype)) members(value.prototype, String(name) + '.prototype.', all)
  }
  for (const name of process.eventNames())
    all.set('process on ' + String(name), process.listenerCount(name))
  return all
}
// Node makes some of its globals when they are asked for.
snapshot()
const before = snapshot()
await import(process.argv[1])
const after = snapshot()
const paths = new Set([...before.keys(), ...after.keys()])
console.log(JSON.stringify([...paths].filter((path) => !Object.is(before.get(path), after.get(path)))))
`
