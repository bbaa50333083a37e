import createClient from "openapi-fetch";
import type { components, paths } from "./api";

const usher = createClient<paths>({ baseUrl: "http://127.0.0.1:8000" });

export async function journey(key: string): Promise<components["schemas"]["UserDetails"]> {
    const headers = { Authorization: `Bearer ${key}` };
    const made = await usher.POST("/users", {
        headers,
        body: { name: "Ada", email: "ada@example.com", age: null },
        params: { header: { "Idempotency-Key": "1" } },
    });
    if (made.error) throw new Error(made.error.code);
    const id: number = made.data.id;
    await usher.PATCH("/users/{id}", {
        headers, params: { path: { id }, header: { "If-Match": '"1"' } }, body: { age: 37 },
    });
    const page = await usher.GET("/users", { headers, params: { query: { limit: 10, status: "active" } } });
    const cursor: string | null | undefined = page.data?.next_cursor;
    const shown = await usher.GET("/users/{id}", { headers, params: { path: { id } } });
    if (!shown.data) throw new Error(cursor ?? shown.error?.code);
    return shown.data;
}
