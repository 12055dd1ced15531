/* --- convolution --- */

/* A convolution: `counts` weights for each channel, each with the place in the source that it reads first. */
struct convolution {
    int channels, height, width, row; /* of the sums: from row to row there are `row` numbers */
    int pool, activate;
    int to, to_plane, to_row;          /* where results go: the first one, from plane to plane, from row to row */
    int other, other_plane, other_row; /* the same of what is added */
    const float *weights, *biases;
    const place *places, *counts;
};

enum { STRETCH = 512 }; /* so many sums at a time stay near the processor */

/* For each weight, add the stretch that begins at its place to the sums. */
static void accumulate(float *restrict sum, const float *restrict source, const place *places,
                       const float *weights, int count, int length)
{
    int i, n = 0;
    for (; n + 4 <= count; n += 4) {
        const float *a = source + places[n], *b = source + places[n + 1];
        const float *c = source + places[n + 2], *d = source + places[n + 3];
        const float p = weights[n], q = weights[n + 1], r = weights[n + 2], s = weights[n + 3];
        for (i = 0; i < length; i++)
            sum[i] += (p * a[i] + q * b[i]) + (r * c[i] + s * d[i]);
    }
    for (; n < count; n++) {
        const float *a = source + places[n];
        const float p = weights[n];
        for (i = 0; i < length; i++)
            sum[i] += p * a[i];
    }
}

/* The greatest of each square of sums, one row of them after the other. */
static void pool_sums(const struct convolution *c, const float *sum, float *to)
{
    const int k = c->pool;
    int x, y, i, j;
    for (y = 0; y < c->height / k; y++)
        for (x = 0; x < c->width / k; x++) {
            const float *corner = sum + y * k * c->row + x * k;
            float greatest = c->activate && corner[0] < 0.0f ? 0.0f : corner[0];
            for (j = 0; j < k; j++)
                for (i = 0; i < k; i++)
                    greatest = corner[j * c->row + i] > greatest ? corner[j * c->row + i] : greatest;
            to[y * c->to_row + x] = greatest;
        }
}

/* The sums, with what is added to them, as results. */
static void finish(const struct convolution *c, const float *sum, float *to, const float *other)
{
    int x, y;
    for (y = 0; y < c->height; y++) {
        const float *from = sum + y * c->row;
        float *row = to + y * c->to_row;
        if (other) {
            const float *more = other + y * c->other_row;
            for (x = 0; x < c->width; x++)
                row[x] = from[x] + more[x];
        } else if (row != from) {
            for (x = 0; x < c->width; x++)
                row[x] = from[x];
        }
        if (c->activate)
            for (x = 0; x < c->width; x++)
                row[x] = row[x] > 0.0f ? row[x] : 0.0f;
        if (row == from && y + 1 < c->height)
            for (x = c->width; x < c->row; x++)
                row[x] = 0.0f; /* what was summed between the rows belongs to no one */
    }
}

static void convolve(const struct convolution *c, const float *source, float *result, const float *other)
{
    const int length = (c->height - 1) * c->row + c->width;
    const int in_place = c->pool == 1 && c->row == c->to_row;
    const place *places = c->places;
    const float *weights = c->weights;
    int channel, i, start;
    for (channel = 0; channel < c->channels; channel++) {
        float *to = result + c->to + channel * c->to_plane;
        float *sum = in_place ? to : sums;
        const int count = (int)c->counts[channel];
        for (i = 0; i < length; i++)
            sum[i] = c->biases[channel];
        for (start = 0; start < length; start += STRETCH)
            accumulate(sum + start, source + start, places, weights, count,
                       length - start < STRETCH ? length - start : STRETCH);
        places += count;
        weights += count;
        if (c->pool > 1)
            pool_sums(c, sum, to);
        else
            finish(c, sum, to, other ? other + c->other + channel * c->other_plane : 0);
    }
}

/* --- phases --- */

/* Every so-manieth row and column of a value, with zeros around it, as a plane of its own. */
static void part(const float *source, int channels, int height, int width, int plane, int row, int above,
                 int beside, int down, int across, const int *phases, int count, float *result, int lines,
                 int columns)
{
    int channel, phase, i, j;
    for (channel = 0; channel < channels; channel++)
        for (phase = 0; phase < count; phase++)
            for (i = 0; i < lines; i++) {
                const int y = i * down + phases[2 * phase] - above;
                for (j = 0; j < columns; j++) {
                    const int x = j * across + phases[2 * phase + 1] - beside;
                    const int inside = y >= 0 && y < height && x >= 0 && x < width;
                    *result++ = inside ? source[channel * plane + y * row + x] : 0.0f;
                }
            }
}

/* --- linear --- */

/* A fully connected layer: `counts` weights for each output, each with the place in the source that it reads. */
static void connect(const float *source, int outputs, int activate, const float *weights, const float *biases,
                    const place *places, const place *counts, float *result)
{
    int output, n;
    for (output = 0; output < outputs; output++) {
        const int count = (int)counts[output];
        float a = biases[output], b = 0.0f, c = 0.0f, d = 0.0f;
        for (n = 0; n + 4 <= count; n += 4) {
            a += weights[n] * source[places[n]];
            b += weights[n + 1] * source[places[n + 1]];
            c += weights[n + 2] * source[places[n + 2]];
            d += weights[n + 3] * source[places[n + 3]];
        }
        for (; n < count; n++)
            a += weights[n] * source[places[n]];
        a = (a + b) + (c + d);
        result[output] = activate && a < 0.0f ? 0.0f : a;
        weights += count;
        places += count;
    }
}

/* --- pooling --- */

/* The mean of each window, or its greatest number. */
static void pool(const float *source, int channels, int plane, int row, int window_height, int window_width,
                 int down, int across, int mean, float *result, int height, int width, int to_plane, int to_row)
{
    int channel, y, x, i, j;
    for (channel = 0; channel < channels; channel++)
        for (y = 0; y < height; y++)
            for (x = 0; x < width; x++) {
                const float *corner = source + channel * plane + y * down * row + x * across;
                float sum = 0.0f, greatest = corner[0];
                for (i = 0; i < window_height; i++)
                    for (j = 0; j < window_width; j++) {
                        sum += corner[i * row + j];
                        greatest = corner[i * row + j] > greatest ? corner[i * row + j] : greatest;
                    }
                result[channel * to_plane + y * to_row + x] =
                    mean ? sum / (float)(window_height * window_width) : greatest;
            }
}
