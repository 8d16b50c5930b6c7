/**
 * Users and their passwords: kept as scrypt hashes, compared in constant time.
 */
import { randomBytes, scrypt, scryptSync, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

export interface StsUser {
  /** The `sub` of tokens. Default made of the name. */
  readonly id?: string
  readonly username: string
  /** Either this, for trying things out… */
  readonly password?: string
  /** …or `scrypt:SALT:HASH`, both base64url; see {@link hashPassword}. */
  readonly hash?: string
  readonly name?: string
  readonly email?: string
  readonly groups?: readonly string[]
  readonly roles?: readonly string[]
}

const LENGTH = 32
const derive = promisify<string, Buffer, number, Buffer>(scrypt)

/** `scrypt:SALT:HASH` with a new salt, for a configuration file. */
export function hashPassword(password: string): string {
  const salt = randomBytes(16)
  const hash = scryptSync(password, salt, LENGTH)
  return `scrypt:${salt.toString('base64url')}:${hash.toString('base64url')}`
}

/** Checks a name and a password; it takes as long for a name that nobody has. */
export function passwordChecker(
  users: readonly StsUser[],
): (username: string, password: string) => Promise<StsUser | undefined> {
  const hashes = new Map(users.map((user) => [user.username, hashOf(user)]))
  const nobody = hashPassword(randomBytes(16).toString('hex'))
  return async (username, password) => {
    const [, salt, hash] = (hashes.get(username) ?? nobody).split(':')
    const given = await derive(password, Buffer.from(salt!, 'base64url'), LENGTH)
    const isRight = timingSafeEqual(given, Buffer.from(hash!, 'base64url'))
    return isRight ? users.find((user) => user.username === username) : undefined
  }
}

function hashOf({ username, password, hash }: StsUser): string {
  if (hash !== undefined && /^scrypt:[\w-]+:[\w-]{43}$/.test(hash)) return hash
  if (hash !== undefined || !password) throw new Error(`user ${username}: needs a password or hash`)
  return hashPassword(password)
}
