/**
 * How the name of a user's account at an application follows from a claim, as a person writes it.
 *
 * @module
 */

/** One claim, and fixed text. What is made is letters, digits, `.`, `_` and `-`, at most 64. */
export type AccountMappingInput = ClaimAccountInput | UserPartAccountInput | TemplateAccountInput

/** The claim is the name. */
export interface ClaimAccountInput {
  /** `claim`: what the claim says is the name. */
  readonly from: 'claim'
  /** A claim that the issuer assigns. */
  readonly claim: string
  /** What becomes of the letters. Default: `kept`. */
  readonly letterCase?: AccountLetterCase | undefined
}

/** The claim is an address, and the name stands before the `@`. */
export interface UserPartAccountInput {
  /** `user-part`: the name is what stands before the `@`. */
  readonly from: 'user-part'
  /** A claim that the issuer assigns. */
  readonly claim: string
  /** Whose addresses: any other domain is refused. */
  readonly domains: readonly string[]
  /** What becomes of the letters. Default: `kept`. */
  readonly letterCase?: AccountLetterCase | undefined
}

/** The claim, or the user part of the address that it is, in fixed text. */
export interface TemplateAccountInput {
  /** `template`: by a text with one mark in it. */
  readonly from: 'template'
  /** A claim that the issuer assigns. */
  readonly claim: string
  /** Text around `{value}`, the claim, or `{user}`, what stands before the `@`. */
  readonly template: string
  /** Whose addresses, where `{user}` stands in the template. */
  readonly domains?: readonly string[] | undefined
  /** What becomes of the letters. Default: `kept`. */
  readonly letterCase?: AccountLetterCase | undefined
}

/** Letters as they come, or all of one case. */
export type AccountLetterCase = 'kept' | 'lower' | 'upper'
