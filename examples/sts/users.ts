/**
 * Users and their passwords: kept as scrypt hashes, compared in constant time.
 */
import { randomBytes, scrypt, scryptSync, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

/** Somebody who may sign in. */
export interface StsUser {
  /** The `sub` of tokens. Default: made of the name. */
  readonly id?: string | undefined
  /** What they sign in as; unique. */
  readonly username: string
  /** Either this, for trying things out… */
  readonly password?: string | undefined
  /** …or `scrypt:SALT:HASH`, both base64url; see {@link hashPassword}. */
  readonly hash?: string | undefined
  /** Asked as well where an application wants more than a password. Default: none. */
  readonly pin?: string | undefined
  /** What people call them. Default: the user name. */
  readonly name?: string | undefined
  /** Default: none. */
  readonly email?: string | undefined
  /** Default: none. */
  readonly groups?: readonly string[] | undefined
  /** Default: none. */
  readonly roles?: readonly string[] | undefined
}

const LENGTH = 32
const derive = promisify<string, Buffer, number, Buffer>(scrypt)

/** `scrypt:SALT:HASH` with a new salt, for a configuration file. */
export function hashPassword(password: string): string {
  const salt = randomBytes(16)
  const hash = scryptSync(password, salt, LENGTH)
  return `scrypt:${salt.toString('base64url')}:${hash.toString('base64url')}`
}

/** Resolves with the user if all that is given is right; `pin` absent: none was asked for. */
export type PasswordCheck = (
  username: string,
  password: string,
  pin?: string,
) => Promise<StsUser | undefined>

/** Checks a name and a password; it takes as long for a name that nobody has. */
export function passwordChecker(users: readonly StsUser[]): PasswordCheck {
  const hashes = new Map(users.map((user) => [user.username, hashOf(user)]))
  const nobody = hashPassword(randomBytes(16).toString('hex'))
  return async (username, password, pin) => {
    const [, salt, hash] = (hashes.get(username) ?? nobody).split(':')
    const given = await derive(password, Buffer.from(salt!, 'base64url'), LENGTH)
    const isRight = timingSafeEqual(given, Buffer.from(hash!, 'base64url'))
    const user = users.find((one) => one.username === username)
    return isRight && (pin === undefined || pin === user?.pin) ? user : undefined
  }
}

function hashOf({ username, password, hash }: StsUser): string {
  if (hash !== undefined && /^scrypt:[\w-]+:[\w-]{43}$/.test(hash)) return hash
  if (hash !== undefined || !password) throw new Error(`user ${username}: needs a password or hash`)
  return hashPassword(password)
}

/** So many wrong ones, and the PIN is taken beside the password only. */
const MOST_WRONG_PINS = 5

/**
 * Who has shown the password shows the PIN alone; whoever guesses needs the password again.
 */
export class PinCheck {
  readonly #users: ReadonlyMap<string, StsUser>
  readonly #wrong = new Map<string, number>()

  /** By `sub`. */
  constructor(users: ReadonlyMap<string, StsUser>) {
    this.#users = users
  }

  /** Their name, if the PIN alone may be asked of them. */
  nameOf(subject: string): string | undefined {
    const user = this.#users.get(subject)
    const mayBe = user?.pin !== undefined && (this.#wrong.get(subject) ?? 0) < MOST_WRONG_PINS
    return mayBe ? user.username : undefined
  }

  isRight(subject: string, pin: string): boolean {
    if (this.nameOf(subject) === undefined) return false
    if (this.#users.get(subject)?.pin === pin) return true
    this.#wrong.set(subject, (this.#wrong.get(subject) ?? 0) + 1)
    return false
  }

  /** Everything was shown. */
  forgive(subject: string): void {
    this.#wrong.delete(subject)
  }
}
