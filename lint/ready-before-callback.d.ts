import type { Rule } from 'eslint'

export declare const readyBeforeCallback: Rule.RuleModule
