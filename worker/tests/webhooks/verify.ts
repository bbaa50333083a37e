// Whether the example accepts what it must accept, and nothing else.
import { eventByPublicKey, eventOf } from "./receiver";

declare const process: { env: Record<string, string>; exitCode: number };

type Case = {
    name: string; secret: string; public_key: string; headers: Record<string, string>; body: string; is_valid: boolean;
};

async function judge(verify: typeof eventOf, key: string, { name, headers, body, is_valid }: Case): Promise<void> {
    const request = new Request("http://127.0.0.1/webhooks", { method: "POST", headers, body });
    let said = "accepted";
    try {
        const event = await verify(key, request);
        if (JSON.stringify(event) !== JSON.stringify(JSON.parse(body))) throw new Error("another event");
    } catch (refused) {
        said = String(refused);
    }
    if ((said === "accepted") !== is_valid) {
        console.error(`${verify.name}, ${name}: ${said}`);
        process.exitCode = 1;
    }
}

async function main(): Promise<void> {
    const cases: Case[] = JSON.parse(process.env.CASES);
    for (const one of cases) {
        await judge(eventOf, one.secret, one);
        await judge(eventByPublicKey, one.public_key, one);
    }
    console.log(`${cases.length} cases`);
}

void main();
